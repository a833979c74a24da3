"""What is judged on another scale, and where a dimension does not vary."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Scoring
from winnow.domains.articles.evaluation import deployment, results
from winnow.pipeline.errors import TableError

ROWS = 60


def judged(scale: float, constant: tuple[str, ...] = ()) -> tuple[pd.DataFrame, pd.DataFrame, str, list[str]]:
    """The model's dimensions and verdict on drawn scores of 0 to 10, multiplied by `scale`."""
    rng = np.random.default_rng(0)
    names = ("agency", "wonder")
    scoring = Scoring(names, 0.0, 10 * scale, names, ("low", "high"), (5 * scale,), "analysis")
    true = rng.uniform(0, 10, (ROWS, 2)) * scale
    for name in constant:
        true[:, names.index(name)] = 3 * scale
    rows = pd.DataFrame(true, columns=list(names)).assign(
        article_id=[f"a{n:02d}" for n in range(ROWS)], split=["test"] * (ROWS - 10) + ["train"] * 10, words=9
    )
    rows = rows.assign(group=rows["article_id"])
    predicted, mean = true + rng.normal(0, 1.4, true.shape) * scale, true.mean(axis=0)
    table = results.predictions_table(rows, predicted, mean, scoring)
    test = rows[rows["split"] == "test"]
    other = results.predictions_table(test, np.tile(mean, (len(test), 1)), mean, scoring)
    params = Programs.tiny("articles").section("evaluate")
    found = results.result(table, {"mean": other}, params, np.random.default_rng(1))
    skills = {name: each for name, each in found.interval.items() if "/" in name}
    per_dimension = results.per_dimension(table[table["split"] == "test"], skills)
    gate = results.gate_in_points(params.gate, scoring.high - scoring.low)
    files = results_files(gate, found)
    return per_dimension, table, files["verdict"], files["reasons"]


def results_files(gate: results.Gate, found: results.EvaluationResult) -> dict[str, Any]:
    from winnow.domains.articles.definitions import VERDICTS  # noqa: PLC0415
    from winnow.judge.files import evaluation_files  # noqa: PLC0415

    return dict(evaluation_files(gate, found.named(lambda name: "/" not in name), VERDICTS).judgement)


def test_the_gate_asks_as_much_of_a_scale_of_0_to_1_as_of_one_of_0_to_10() -> None:
    ten, one = judged(1.0), judged(0.1)
    assert ten[2] == one[2] == "REVIEW"
    assert any("mae" in reason for reason in one[3]), "1.1 points of 10 are more than a tenth, and so is .11 of 1"
    assert judged(0.1)[0]["skill"].to_numpy() == pytest.approx(ten[0]["skill"].to_numpy())


def test_a_dimension_without_skill_keeps_a_model_from_being_deployed() -> None:
    """A low error alone deploys nothing: where scores hardly vary, a constant prediction has one too."""
    rng = np.random.default_rng(0)
    names = ("agency", "wonder")
    scoring = Scoring(names, 0.0, 10.0, names, ("low", "high"), (5.0,), "analysis")
    true = np.stack([rng.uniform(0, 10, 400), rng.normal(5, 0.3, 400)], axis=1)
    predicted = true + np.stack([rng.normal(0, 0.4, 400), rng.normal(0, 0.6, 400)], axis=1)
    rows = pd.DataFrame(true, columns=list(names)).assign(
        article_id=[f"a{n:03d}" for n in range(400)], split=["test", "train"] * 200, words=9
    )
    rows = rows.assign(group=rows["article_id"])
    params = Programs.tiny("articles").section("evaluate")
    verdicts = {}
    for name, own in (("no skill in wonder", predicted), ("skill", true + 0.3 * (predicted - true))):
        table = results.predictions_table(rows, own, true.mean(axis=0), scoring)
        test = rows[rows["split"] == "test"]
        other = results.predictions_table(test, np.tile(true.mean(axis=0), (200, 1)), true.mean(axis=0), scoring)
        found = results.result(table, {"mean": other}, params, rng)
        files = results_files(results.gate_in_points(params.gate, 10.0), found)
        assert found.model["mae"] < 0.1 * 10, "the target of the error is met"
        verdicts[name] = files["verdict"]
        if name == "no skill in wonder":
            assert any("lowest_skill_score" in reason for reason in files["reasons"])
            assert found.model["lowest_skill_score"] == pytest.approx(
                1 - np.abs(own - true)[::2, 1].mean() / np.abs(true[::2, 1] - true[:, 1].mean()).mean()
            )
    assert verdicts == {"no skill in wonder": "FAIL", "skill": "DEPLOY"}


def test_a_constant_dimension_is_told_and_the_others_are_judged() -> None:
    table, _, verdict, _ = judged(1.0, constant=("wonder",))
    assert verdict in {"DEPLOY", "REVIEW", "FAIL"}
    table = table.set_index("dimension")
    assert np.isnan(table.loc["wonder", "skill"])
    agency = table.loc["agency"]
    assert agency["skill"] == pytest.approx(1 - agency["mae"] / agency["mean_mae"])
    assert any("constant" in line for line in deployment._dimensions(table.reset_index()))
    with pytest.raises(TableError, match="every dimension has one and the same score"):
        judged(1.0, constant=("agency", "wonder"))
