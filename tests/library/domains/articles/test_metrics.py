"""Metrics of scored articles against scikit-learn and scipy, on all articles and on resampled ones."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, root_mean_squared_error

from winnow.domains.articles.metrics import COMPARED, dimensions_of, overfit_statistics, statistics, wide
from winnow.judge.intervals import values

NAMES = ("wonder", "agency", "hope")  # not sorted: scores must stay with their names
COUNT = 40


def predictions(seed: int, split: str = "test", count: int = COUNT) -> pd.DataFrame:
    """A `Predictions` table whose articles come in no order."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 11, size=(count, 3)).astype(float)
    predicted, mean = np.clip(true + rng.normal(0, 1.5, true.shape), 0, 10), np.array([4.0, 5.0, 6.0])
    about = pd.DataFrame(
        {
            "article_id": [f"{split}{number:03}" for number in rng.permutation(count)],
            "split": split,
            "group": [f"g{number // 2}" for number in range(count)],
            "words": 100,
            "tier": (true.mean(axis=1) > 5).astype(int),
            "predicted_tier": (predicted.mean(axis=1) > 5).astype(int),
            "tiers": 2,
        }
    )
    parts = [
        about.assign(dimension=name, true=true[:, place], predicted=predicted[:, place], mean=mean[place])
        for place, name in enumerate(NAMES)
    ]
    return pd.concat(parts, ignore_index=True)


def by_hand(table: pd.DataFrame) -> dict[str, float]:
    """Every metric of a table, in which an article may come several times under other ids."""
    one = table.drop_duplicates("article_id").sort_values("article_id")
    of = {name: table[table["dimension"] == name].sort_values("article_id") for name in NAMES}
    skills = {
        name: 1 - mean_absolute_error(rows["true"], rows["predicted"]) / mean_absolute_error(rows["true"], rows["mean"])
        for name, rows in of.items()
    }

    def correlation(function: Any) -> float:
        return float(np.mean([function(rows["true"], rows["predicted"]).statistic for rows in of.values()]))

    return {
        "mae": mean_absolute_error(table["true"], table["predicted"]),
        "rmse": root_mean_squared_error(table["true"], table["predicted"]),
        "pearson_correlation": correlation(stats.pearsonr),
        "spearman_correlation": correlation(stats.spearmanr),
        "within_one_accuracy": float(((table["true"] - table["predicted"]).abs() <= 1).mean()),
        "tier_accuracy": accuracy_score(one["tier"], one["predicted_tier"]),
        "tier_f1": f1_score(one["tier"], one["predicted_tier"], average="macro"),
        "mean_skill_score": float(np.mean(list(skills.values()))),
        "lowest_skill_score": min(skills.values()),
        **{f"skill/{name}": skill for name, skill in skills.items()},
    }


def test_metrics_are_scikit_learns_and_scipys() -> None:
    table = predictions(0)
    assert dimensions_of(table) == list(NAMES)
    assert values(statistics(table), COUNT) == pytest.approx(by_hand(table))


def test_metrics_of_resamples_count_whole_articles() -> None:
    """All but rank correlations, whose ranks are those of the whole set."""
    table, rng = predictions(1), np.random.default_rng(2)
    found, ids = statistics(table), sorted(table["article_id"].unique())
    for _ in range(5):
        drawn = rng.integers(COUNT, size=COUNT)
        counts = np.bincount(drawn, minlength=COUNT)[None]
        again = [table[table["article_id"] == ids[place]].assign(article_id=n) for n, place in enumerate(drawn)]
        expected = by_hand(pd.concat(again))
        for name in set(expected) - {"spearman_correlation"}:
            assert found[name](counts)[0] == pytest.approx(expected[name]), name


def test_scores_stay_with_their_article_and_dimension() -> None:
    table = predictions(3).sample(frac=1, random_state=0)
    first, second = sorted(table["article_id"])[0], dimensions_of(table)[1]
    row = table[(table["article_id"] == first) & (table["dimension"] == second)]
    assert wide(table, "true")[0, 1] == row["true"].item()


def test_overfitting_is_the_share_of_the_test_error_that_training_does_not_have() -> None:
    train, test = predictions(4, "train", 25), predictions(5)
    train["predicted"] = train["true"] + 0.5 * (train["predicted"] - train["true"])
    both = pd.concat([train, test])
    errors = [(part["predicted"] - part["true"]).abs().mean() for part in (train, test)]
    assert values(overfit_statistics(both), 65)["overfit_error"] == pytest.approx(1 - errors[0] / errors[1])
    swapped = both.assign(split=both["split"].map({"train": "test", "test": "train"}))
    assert values(overfit_statistics(swapped), 65)["overfit_error"] == 0, "a lower test error is no overfitting"


def test_what_compare_measures_of_rows_is_what_evaluate_measures_of_articles() -> None:
    both = pd.concat([predictions(6, "train", 25), predictions(7), predictions(8, "val", 10)])
    found: dict[str, float] = {}
    for compared in COMPARED:
        rows = compared.rows(both).sort_values(list(compared.key), ignore_index=True)
        found |= values(compared.statistics(rows), len(rows))
    expected = by_hand(predictions(7))
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert 0 <= found["overfit_error"] < 1
