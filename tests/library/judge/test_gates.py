import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from winnow.judge.baselines import strongest
from winnow.judge.files import evaluation_files
from winnow.judge.gates import decide
from winnow.judge.intervals import Interval
from winnow.judge.result import EvaluationResult
from winnow.judge.settings import Gate
from winnow.judge.slices import Slices, slice_metrics
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.tables import validate

GATE = Gate.model_validate(
    {
        "headline": "perplexity",
        "conditions": [{"metric": "valid_score", "target": 0.99, "review": 0.9}],
        "expected": None,
    }
)
BASELINES = {"uniform": {"perplexity": 100.0}, "bigram": {"perplexity": 10.0}, "prior": {"valid_score": 0.1}}


def verdict(
    perplexity: float, low: float, high: float, valid: float, valid_interval: Interval | None = None
) -> tuple[str, list[str]]:
    interval = {"perplexity": Interval(low, high)} | ({"valid_score": valid_interval} if valid_interval else {})
    found = decide(GATE, EvaluationResult({"perplexity": perplexity, "valid_score": valid}, interval, BASELINES))
    return found.word, found.reasons


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
    found, reasons = verdict(perplexity, low, high, valid)
    assert found == word
    assert len(reasons) == 2
    assert reasons[0].startswith(f"{word}: ")


@pytest.mark.parametrize(
    ("perplexity", "low", "high", "valid", "against", "target", "advice"),
    [
        (8.0, 7.0, 9.0, 1.0, "Better than `bigram`", "at every target", "can be used"),
        (8.0, 7.0, 9.0, 0.95, "Better than `bigram`", "not surely at the target of valid_score", "read the reasons"),
        (8.0, 7.0, 9.0, 0.8, "Better than `bigram`", "not at the target of valid_score", "do not use this model"),
        (9.5, 9.0, 10.5, 1.0, "Not surely better than `bigram`", "at every target", "read the reasons"),
        (9.5, 9.0, 10.5, 0.8, "Not surely better than `bigram`", "not at the target", "do not use this model"),
        (10.0, 9.0, 11.0, 1.0, "No better than `bigram`", "at every target", "do not use this model"),
    ],
)
def test_a_sentence_says_what_the_verdict_means(
    perplexity: float, low: float, high: float, valid: float, against: str, target: str, advice: str
) -> None:
    bounds = {"perplexity": Interval(low, high)}
    found = decide(GATE, EvaluationResult({"perplexity": perplexity, "valid_score": valid}, bounds, BASELINES))
    first, _, last = found.sentence.partition(": ")
    assert first.startswith(against)
    assert target in first
    assert advice in last


def test_a_pass_on_embedded_data_recommends_no_model() -> None:
    found = EvaluationResult({"perplexity": 8.0, "valid_score": 1.0}, {"perplexity": Interval(7.0, 9.0)}, BASELINES)
    own, embedded = (decide(GATE, found, embedded=each) for each in (False, True))
    assert own.word == embedded.word == "PASS"
    assert "can be used" in own.sentence
    assert "can be used" not in embedded.sentence
    assert "synthetic data" in embedded.sentence


def test_each_condition_has_its_word_and_its_target_in_the_order_of_the_reasons() -> None:
    bounds = {"perplexity": Interval(7.0, 9.0)}
    found = decide(GATE, EvaluationResult({"perplexity": 8.0, "valid_score": 0.8}, bounds, BASELINES))
    assert found.conditions == [
        {"metric": "valid_score", "word": "FAIL", "target": "≥ 0.99"},
        {"metric": "perplexity", "word": "PASS", "target": "better than 10 of `bigram`"},
    ]
    assert [reason.split()[:2] for reason in found.reasons] == [["FAIL:", "valid_score"], ["PASS:", "perplexity"]]


def test_higher_is_better_uses_the_low_end() -> None:
    gate = Gate.model_validate({"headline": "accuracy", "conditions": [], "expected": None})
    baselines = {"majority": {"accuracy": 0.5}}
    for low, word in ((0.6, "PASS"), (0.4, "REVIEW")):
        assert (
            decide(gate, EvaluationResult({"accuracy": 0.7}, {"accuracy": Interval(low, 0.8)}, baselines)).word == word
        )


@pytest.mark.parametrize(
    ("paired", "word"),
    [
        (Interval(-4.0, -0.1), "PASS"),  # although the model's own interval reaches the baseline's value
        (Interval(-4.0, 0.1), "REVIEW"),
        (Interval(0.1, 4.0), "REVIEW"),
    ],
)
def test_the_paired_difference_from_the_strongest_baseline_decides(paired: Interval, word: str) -> None:
    differences = {"bigram": paired, "uniform": Interval(-99.0, -80.0)}
    found = EvaluationResult(
        {"perplexity": 8.0, "valid_score": 1.0},
        {"perplexity": Interval(5.0, 11.0)},
        BASELINES,
        difference={"perplexity": differences, "valid_score": {"bigram": Interval(-1.0, -0.5)}},
    )
    assert decide(GATE, found).word == word


def test_a_paired_difference_helps_no_model_that_is_worse() -> None:
    difference = {"perplexity": {"bigram": Interval(-4.0, -0.1)}}
    worse = EvaluationResult(
        {"perplexity": 10.5, "valid_score": 1.0}, {"perplexity": Interval(5, 11)}, BASELINES, difference=difference
    )
    assert decide(GATE, worse).word == "FAIL"


@pytest.mark.parametrize(
    ("value", "interval", "word"),
    [
        (0.995, Interval(0.99, 1.0), "PASS"),
        (0.995, Interval(0.98, 1.0), "REVIEW"),
        (0.95, Interval(0.94, 0.96), "REVIEW"),
        (0.89, Interval(0.85, 0.995), "FAIL"),
    ],
)
def test_a_condition_passes_only_with_its_whole_interval(value: float, interval: Interval, word: str) -> None:
    found, reasons = verdict(8.0, 7.0, 9.0, value, interval)
    assert found == word
    assert any(f"({interval.low:.4g} to {interval.high:.4g})" in reason for reason in reasons)


def test_lower_is_better_uses_the_high_end() -> None:
    gate = Gate.model_validate(
        {"headline": "accuracy", "conditions": [{"metric": "mae", "target": 1.0, "review": 1.5}], "expected": None}
    )
    for high, word in ((1.0, "PASS"), (1.1, "REVIEW")):
        intervals = {"accuracy": Interval(0.8, 1.0), "mae": Interval(0.5, high)}
        found = EvaluationResult({"accuracy": 0.9, "mae": 0.8}, intervals, {"majority": {"accuracy": 0.5}})
        assert decide(gate, found).word == word


def test_a_domain_has_its_own_words() -> None:
    gate = Gate.model_validate({"headline": "accuracy", "conditions": [], "expected": None})
    findings = EvaluationResult({"accuracy": 0.7}, {"accuracy": Interval(0.6, 0.8)}, {"a": {"accuracy": 0.5}})
    found = decide(gate, findings, ("DEPLOY", "REVIEW", "FAIL"))
    assert found.word == "DEPLOY"
    assert evaluation_files(gate, findings, ("DEPLOY", "REVIEW", "FAIL")).metrics["verdict"] == "DEPLOY"
    assert found.reasons[0].startswith("DEPLOY: accuracy 0.7")


def test_reasons_name_the_strongest_baseline() -> None:
    assert "10 of `bigram`" in verdict(8.0, 7.0, 9.0, 1.0)[1][0]


def test_strongest_is_the_first_by_name_among_equals() -> None:
    assert strongest({"b": {"mae": 1.0}, "a": {"mae": 1.0}, "c": {"mae": 2.0}}, "mae") == "a"


def test_no_baseline_in_the_headline_is_an_error() -> None:
    with pytest.raises(WinnowError, match="no baseline was measured in `accuracy`"):
        strongest(BASELINES, "accuracy")


def test_a_metric_that_was_not_measured_is_an_error() -> None:
    with pytest.raises(WinnowError, match="`valid_score`, which was not measured"):
        decide(GATE, EvaluationResult({"perplexity": 1.0}, {"perplexity": Interval(1, 1)}, BASELINES))


def test_a_headline_without_interval_is_an_error() -> None:
    values, interval = {"perplexity": 1.0, "valid_score": 1.0}, {"valid_score": Interval(1, 1)}
    with pytest.raises(WinnowError, match="`perplexity` has no interval") as caught:
        decide(GATE, EvaluationResult(values, interval, BASELINES))
    assert "metrics that have one: valid_score" in str(caught.value)


def test_a_gate_on_a_name_without_direction_is_refused() -> None:
    with pytest.raises(ValidationError, match="`valid_share` does not imply whether"):
        Gate.model_validate({"headline": "valid_share", "conditions": [], "expected": None})


def findings(valid: float = 1.0, truth: float = 5.0) -> EvaluationResult:
    return EvaluationResult(
        {"perplexity": 8.0, "valid_score": valid, "other_score": 2.0},
        {"perplexity": Interval(7, 9)},
        BASELINES,
        reference={"truth": {"perplexity": truth}},
        difference={"perplexity": {"bigram": Interval(-3, -1)}},
    )


def test_evaluate_json_is_short_and_judgement_json_whole() -> None:
    report = evaluation_files(GATE, findings())
    assert report.metrics == {
        "verdict": "PASS",
        "perplexity": 8.0,
        "perplexity_low": 7,
        "perplexity_high": 9,
        "perplexity_baseline": 10.0,
        "valid_score": 1.0,
    }
    parts = ["baseline", "conditions", "difference", "embedded_data", "interval", "model", "reasons", "reference"]
    assert sorted(report.judgement) == [*parts, "sentence", "verdict"]
    assert report.judgement["embedded_data"] is False
    assert evaluation_files(GATE, findings(), embedded=True).judgement["embedded_data"] is True
    assert report.judgement["interval"] == {"perplexity": {"low": 7, "high": 9}}
    assert report.judgement["difference"] == {"perplexity": {"bigram": {"low": -3, "high": -1}}}
    assert report.judgement["model"]["other_score"] == 2.0


def test_a_reference_is_no_baseline() -> None:
    """The truth's perplexity of 5 would beat the model's 8."""
    assert evaluation_files(GATE, findings(truth=5.0)).metrics["verdict"] == "PASS"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_report_refuses_values_that_are_not_finite(bad: float) -> None:
    with pytest.raises(WinnowError, match="model: `valid_score` is"):
        evaluation_files(GATE, findings(valid=bad))
    with pytest.raises(WinnowError, match="truth: `perplexity` is"):
        evaluation_files(GATE, findings(truth=bad))


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


def test_what_data_cannot_tell_asks_for_a_review() -> None:
    values, interval = {"perplexity": 8.0}, {"perplexity": Interval(7.0, 9.0)}
    found = EvaluationResult(values, interval, BASELINES, unmeasured={"valid_score": "there is no route"})
    report = evaluation_files(GATE, found)
    assert report.metrics["verdict"] == "REVIEW"
    assert "valid_score" not in report.metrics
    first, second = report.judgement["reasons"]
    assert first == "REVIEW: valid_score cannot be measured: there is no route"
    assert second.startswith("PASS: perplexity 8")


def expecting(verdict: str, metric: str) -> Gate:
    return Gate.model_validate(
        {**GATE.model_dump(), "expected": {"verdict": verdict, "metric": metric, "reason": "few routes"}}
    )


@pytest.mark.parametrize(
    ("verdict", "metric", "perplexity", "valid", "embedded", "explained"),
    [
        ("REVIEW", "valid_score", 8.0, 0.95, True, "valid_score"),
        ("REVIEW", "valid_score", 8.0, 0.95, False, None),  # a user's own data
        ("REVIEW", "valid_score", 10.5, 0.95, True, "valid_score"),  # beside its own metric, though another decides
        ("REVIEW", "valid_score", 8.0, 0.8, True, None),  # worse than what is expected
        ("REVIEW", "valid_score", 8.0, 1.0, True, None),  # better
        ("FAIL", "perplexity", 10.5, 1.0, True, "perplexity"),
    ],
)
def test_what_is_expected_stands_beside_the_metric_that_it_explains_on_embedded_data_alone(
    verdict: str, metric: str, perplexity: float, valid: float, embedded: bool, explained: str | None
) -> None:
    interval = {"perplexity": Interval(perplexity - 1, perplexity + 1)}
    found = EvaluationResult({"perplexity": perplexity, "valid_score": valid}, interval, BASELINES)
    reasons = evaluation_files(expecting(verdict, metric), found, embedded=embedded).judgement["reasons"]
    assert [reason.split()[1] for reason in reasons if "few routes" in reason] == [explained] * (explained is not None)


@pytest.mark.parametrize(
    ("value", "paired", "told"),
    [
        (12.0, Interval(1.0, 3.0), "worse over the whole interval"),
        (12.0, Interval(-0.5, 3.0), "not better"),
        (10.0, Interval(0.0, 0.0), "not better"),
        (9.0, Interval(-2.0, 0.5), "better, but not over the whole interval"),
        (9.0, Interval(-2.0, -0.5), "better over the whole interval"),
    ],
)
@pytest.mark.parametrize("higher", [False, True])
def test_worse_is_said_only_of_a_whole_interval(value: float, paired: Interval, told: str, higher: bool) -> None:
    metric, sign = ("gain_score", -1) if higher else ("perplexity", 1)
    gate = Gate.model_validate({"headline": metric, "conditions": [], "expected": None})
    ends = sorted([sign * paired.low, sign * paired.high])
    found = EvaluationResult(
        {metric: sign * value},
        {metric: Interval(sign * value - 9, sign * value + 9)},
        {"bigram": {metric: sign * 10.0}},
        difference={metric: {"bigram": Interval(*ends)}},
    )
    (reason,) = decide(gate, found).reasons
    assert reason.endswith(f": {told}")
