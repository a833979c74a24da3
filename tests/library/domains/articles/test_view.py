"""The pictures of articles' test split, and the worst articles of its page."""

import numpy as np
import pandas as pd
import pytest

from tests.library.show.charted import dots
from winnow.domains.articles.view.scores import error_by_dimension, scores, worst_articles


def judged() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test rows and those of a baseline, in another order."""
    rng = np.random.default_rng(0)
    keys = [(f"a{number}", name) for number in range(20) for name in ("far_reaching", "kind")]
    test = pd.DataFrame(keys, columns=["article_id", "dimension"])
    test["true"], test["predicted"] = rng.uniform(0, 10, (2, len(test)))
    other = test[["article_id", "dimension"]].assign(baseline="mean", predicted=rng.uniform(0, 10, len(test)))
    return test, other.sample(frac=1, random_state=0)


def test_the_error_of_each_dimension_is_that_of_its_rows_beside_the_baseline_on_the_same() -> None:
    test, other = judged()
    (axes,) = error_by_dimension(test, other).axes
    found = dots(axes)
    joined = test.merge(other, on=["article_id", "dimension"], suffixes=("", "_of_mean"))
    for dimension, part in joined.groupby("dimension"):
        name = str(dimension).replace("_", " ")
        for measure, column in (("model", "predicted"), ("mean", "predicted_of_mean")):
            assert found[name, measure][0] == pytest.approx(np.abs(part[column] - part["true"]).mean())
    assert "20 test articles" in axes.get_title()


def test_a_point_is_an_article_s_mean_over_the_dimensions() -> None:
    test, _ = judged()
    (axes,) = scores(test).axes
    points = axes.collections[0].get_offsets()
    expected = test.groupby("article_id")[["true", "predicted"]].mean().to_numpy()
    assert np.sort(np.asarray(points), axis=0) == pytest.approx(np.sort(expected, axis=0))
    assert np.asarray(points).prod(axis=1).sum() == pytest.approx(expected.prod(axis=1).sum())  # the pairs are the same


def test_a_worst_article_has_its_own_scores() -> None:
    test, _ = judged()
    worst = pd.DataFrame(
        [{"article_id": "a3", "title": "<b>", "error": 1.5}, {"article_id": "a1", "title": "", "error": 1}]
    )
    first, second = worst_articles(worst, test)
    assert first.title == "<b>"
    assert second.title == "a1", "without a title it is known by its id"
    own = test[test["article_id"] == "a3"].sort_values("dimension")
    assert first.table is not None
    assert list(first.table.head) == ["dimension", "label", "model"]
    shown = zip(["far reaching", "kind"], own["true"], own["predicted"], strict=True)
    assert [list(row) for row in first.table.rows] == [
        [name, f"{true:.1f}", f"{said:.1f}"] for name, true, said in shown
    ]
