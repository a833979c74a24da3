import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from winnow.judge.baselines import strongest
from winnow.judge.gates import decide
from winnow.judge.intervals import Interval
from winnow.judge.report import verdict_report
from winnow.judge.settings import Gate
from winnow.judge.slices import Slices, slice_metrics
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.tables import validate

GATE = Gate.model_validate(
    {"headline": "perplexity", "conditions": [{"metric": "valid_score", "target": 0.99, "review": 0.9}]}
)
BASELINES = {"uniform": {"perplexity": 100.0}, "bigram": {"perplexity": 10.0}, "prior": {"valid_score": 0.1}}


def verdict(perplexity: float, low: float, high: float, valid: float) -> tuple[str, list[str]]:
    model = {"perplexity": perplexity, "valid_score": valid}
    told = decide(GATE, model, {"perplexity": Interval(low, high)}, BASELINES)
    return told.word, told.reasons


@pytest.mark.parametrize(
    ("perplexity", "low", "high", "valid", "word"),
    [
        (8.0, 7.0, 9.0, 1.0, "PASS"),
        (8.0, 7.0, 9.0, 0.99, "PASS"),
        (9.5, 9.0, 10.5, 1.0, "REVIEW"),
        (8.0, 7.0, 9.0, 0.95, "REVIEW"),
        (10.5, 9.0, 12.0, 1.0, "FAIL"),
        (10.0, 9.0, 11.0, 1.0, "FAIL"),
        (8.0, 7.0, 9.0, 0.8, "FAIL"),
        (9.5, 9.0, 10.5, 0.8, "FAIL"),
    ],
)
def test_the_worst_condition_decides(perplexity: float, low: float, high: float, valid: float, word: str) -> None:
    told, reasons = verdict(perplexity, low, high, valid)
    assert told == word
    assert len(reasons) == 2
    assert reasons[0].startswith(f"{word}: ")


def test_higher_is_better_uses_the_low_end() -> None:
    gate = Gate.model_validate({"headline": "accuracy", "conditions": []})
    baselines = {"majority": {"accuracy": 0.5}}
    assert decide(gate, {"accuracy": 0.7}, {"accuracy": Interval(0.6, 0.8)}, baselines).word == "PASS"
    assert decide(gate, {"accuracy": 0.7}, {"accuracy": Interval(0.4, 0.8)}, baselines).word == "REVIEW"


def test_reasons_name_the_strongest_baseline() -> None:
    assert "10 of `bigram`" in verdict(8.0, 7.0, 9.0, 1.0)[1][0]


def test_strongest_is_the_first_by_name_among_equals() -> None:
    assert strongest({"b": {"mae": 1.0}, "a": {"mae": 1.0}, "c": {"mae": 2.0}}, "mae") == "a"


def test_no_baseline_in_the_headline_is_told() -> None:
    with pytest.raises(WinnowError, match="no baseline was measured in `accuracy`"):
        strongest(BASELINES, "accuracy")


def test_a_metric_that_was_not_measured_is_told() -> None:
    with pytest.raises(WinnowError, match="`valid_score`, which was not measured"):
        decide(GATE, {"perplexity": 1.0}, {"perplexity": Interval(1, 1)}, BASELINES)


def test_a_headline_without_interval_is_told() -> None:
    with pytest.raises(WinnowError, match="`perplexity` has no interval"):
        decide(GATE, {"perplexity": 1.0, "valid_score": 1.0}, {}, BASELINES)


def test_a_gate_on_a_name_without_direction_is_refused() -> None:
    with pytest.raises(ValidationError, match="`valid_share` does not tell whether"):
        Gate.model_validate({"headline": "valid_share", "conditions": []})


def test_report_has_the_shape_that_every_domain_writes() -> None:
    report = verdict_report(GATE, {"perplexity": 8.0, "valid_score": 1.0}, {"perplexity": Interval(7, 9)}, BASELINES)
    assert sorted(report) == ["baseline", "interval", "model", "reasons", "verdict"]
    assert report["interval"] == {"perplexity": {"low": 7, "high": 9}}
    assert report["verdict"] == "PASS"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_report_refuses_numbers_that_are_none(bad: float) -> None:
    with pytest.raises(WinnowError, match="model: `valid_score` is"):
        verdict_report(GATE, {"perplexity": 8.0, "valid_score": bad}, {"perplexity": Interval(7, 9)}, BASELINES)


def test_slices_are_tidy_and_in_order() -> None:
    table = pd.DataFrame(
        {
            "size": pd.Categorical(["big", "small", "big", None], categories=["small", "big", "huge"], ordered=True),
            "year": [2020, 2019, 2020, 2019],
            "error": [1.0, 2.0, 3.0, 6.0],
        }
    )
    slices = slice_metrics(table, ["size", "year"], {"mean_error": lambda part: float(np.mean(part["error"]))})
    validate(slices, Slices, where="test")
    assert slices["value"].tolist() == ["small", "big", "2019", "2020"]
    assert slices["rows"].tolist() == [1, 2, 2, 2]
    assert slices["score"].tolist() == [2.0, 2.0, 4.0, 2.0]
