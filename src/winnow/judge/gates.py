"""From numbers to a verdict with its reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from winnow.judge.baselines import strongest
from winnow.judge.intervals import Interval
from winnow.judge.settings import Condition, Gate
from winnow.measure.direction import beats, higher_is_better
from winnow.pipeline.errors import WinnowError

Word = Literal["PASS", "REVIEW", "FAIL"]
WORST_FIRST: tuple[Word, ...] = ("FAIL", "REVIEW", "PASS")


@dataclass(frozen=True)
class Verdict:
    """The worst of the conditions' words, and why: one reason per condition, worst first."""

    word: Word
    reasons: list[str]


def decide(
    gate: Gate,
    model: Mapping[str, float],
    intervals: Mapping[str, Interval],
    baselines: Mapping[str, Mapping[str, float]],
) -> Verdict:
    """The verdict over a model's metrics; raises WinnowError when a metric that the gate names was not measured."""
    told = [_headline(gate.headline, model, intervals, baselines)]
    told += [_condition(condition, model) for condition in gate.conditions]
    told.sort(key=lambda item: WORST_FIRST.index(item[0]))
    return Verdict(told[0][0], [f"{word}: {reason}" for word, reason in told])


def _headline(
    metric: str,
    model: Mapping[str, float],
    intervals: Mapping[str, Interval],
    baselines: Mapping[str, Mapping[str, float]],
) -> tuple[Word, str]:
    """PASS if the interval's unfavourable end beats the strongest baseline, REVIEW if the value does, else FAIL."""
    value = _measured(metric, model)
    if metric not in intervals:
        known = ", ".join(sorted(intervals)) or "none"
        raise WinnowError(f"the headline metric `{metric}` has no interval", fix=f"metrics that have one: {known}")
    interval = intervals[metric]
    name = strongest(baselines, metric)
    other = baselines[name][metric]
    unfavourable = interval.low if higher_is_better(metric) else interval.high
    told = f"{metric} {value:.4g} ({interval.low:.4g} to {interval.high:.4g}) against {other:.4g} of `{name}`"
    if beats(metric, unfavourable, other):
        return "PASS", f"{told}: better, interval and all"
    if beats(metric, value, other):
        return "REVIEW", f"{told}: better, but the interval reaches it"
    return "FAIL", f"{told}: not better"


def _condition(condition: Condition, model: Mapping[str, float]) -> tuple[Word, str]:
    value = _measured(condition.metric, model)
    sign = "≥" if higher_is_better(condition.metric) else "≤"
    told = f"{condition.metric} {value:.4g}, target {sign} {condition.target:.4g}"
    if not beats(condition.metric, condition.target, value):
        return "PASS", told
    if not beats(condition.metric, condition.review, value):
        return "REVIEW", f"{told}, review {sign} {condition.review:.4g}"
    return "FAIL", f"{told}, review {sign} {condition.review:.4g}"


def _measured(metric: str, model: Mapping[str, float]) -> float:
    if metric not in model:
        raise WinnowError(
            f"the gate names the metric `{metric}`, which was not measured", fix=f"known: {', '.join(sorted(model))}"
        )
    return model[metric]
