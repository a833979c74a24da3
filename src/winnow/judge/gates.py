"""The verdict on a model, from its metrics and the conditions of a gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from winnow.judge.baselines import strongest
from winnow.judge.intervals import Interval
from winnow.judge.result import EvaluationResult
from winnow.judge.settings import Condition, Gate
from winnow.measure.direction import beats, higher_is_better
from winnow.pipeline.errors import WinnowError

Words = tuple[str, str, str]
WORDS: Words = ("PASS", "REVIEW", "FAIL")
"""The verdicts of a domain that defines no others, best first."""


class Grade(IntEnum):
    """A condition's result, and its index in the words of a verdict."""

    GOOD = 0
    UNSURE = 1
    BAD = 2


ADVICE = ("this model can be used", "read the reasons before you use this model", "do not use this model")
ON_EMBEDDED_DATA = "trained on synthetic data, it says nothing about real ones"
"""By grade."""


class Finding(NamedTuple):
    """What one condition of a gate gave."""

    metric: str
    grade: Grade
    target: str
    """what had to be reached, such as `≥ 0.9`, or that the value is better than a baseline's"""
    reason: str


@dataclass(frozen=True)
class Verdict:
    """The worst of the conditions' words, and one reason per condition, worst first."""

    word: str
    reasons: list[str]
    conditions: list[dict[str, str]]
    """in the reasons' order: metric, word and target"""
    sentence: str
    """what the verdict means for a person who may use the model"""


def decide(gate: Gate, found: EvaluationResult, words: Words = WORDS, *, embedded: bool = False) -> Verdict:
    """
    The verdict over a model's metrics, in these words, best first.

    The headline against the strongest baseline: PASS if the interval of the paired difference lies wholly on the better
    side of 0 (without shared rows: the model's own interval on the better side of the baseline's value), REVIEW if the
    value is better, else FAIL. A condition: PASS if the metric's interval lies wholly on the good side of `target`, the
    target included (without an interval: if the value does), REVIEW if the value is on the good side of `target` or of
    `review`, else FAIL; REVIEW if it cannot be measured on these data. The worst of these words is the verdict.

    On `embedded` data (not a user's) the metric that `gate.expected` names is told with the reason why it reaches no
    better word.

    Raises WinnowError when a metric that the gate names was not measured, or the headline has no interval.
    """
    headline = _headline(gate.headline, found)
    targets = [_condition(condition, found) for condition in gate.conditions]
    results = sorted([headline, *targets], key=lambda each: -each.grade)
    reasons = [f"{words[each.grade]}: {each.reason}" for each in results]
    if embedded and gate.expected is not None:
        as_expected = (gate.expected.metric, words.index(gate.expected.verdict))
        for place in [index for index, each in enumerate(results) if (each.metric, each.grade) == as_expected][:1]:
            reasons[place] += f" (expected of the embedded data: {gate.expected.reason})"
    conditions = [{"metric": each.metric, "word": words[each.grade], "target": each.target} for each in results]
    rival = strongest(found.baseline, gate.headline)
    return Verdict(words[results[0].grade], reasons, conditions, _sentence(rival, headline, targets, embedded=embedded))


def _sentence(rival: str, headline: Finding, targets: Sequence[Finding], *, embedded: bool) -> str:
    """The verdict for a person: against the strongest baseline, which targets are missed, and what to do."""
    worst = max(each.grade for each in (headline, *targets))
    names = {grade: ", ".join(dict.fromkeys(each.metric for each in targets if each.grade == grade)) for grade in Grade}
    first = ("Better than {}", "Not surely better than {}", "No better than {}")[headline.grade].format(f"`{rival}`")
    said = f"{first}, the strongest baseline"
    if missed := names[Grade.BAD] or names[Grade.UNSURE]:
        joined = ", but" if headline.grade == Grade.GOOD else ", and"
        said += f"{joined} not {'' if names[Grade.BAD] else 'surely '}at the target of {missed}"
    elif targets:
        said += ", and at every target" if headline.grade == Grade.GOOD else ", but at every target"
    advice = ON_EMBEDDED_DATA if embedded and worst == Grade.GOOD else ADVICE[worst]
    return f"{said}: {advice}"


def _headline(metric: str, found: EvaluationResult) -> Finding:
    value = _measured(metric, found)
    if metric not in found.interval:
        known = ", ".join(sorted(found.interval)) or "none"
        raise WinnowError(f"the headline metric `{metric}` has no interval", fix=f"metrics that have one: {known}")
    interval = found.interval[metric]
    name = strongest(found.baseline, metric)
    other = found.baseline[name][metric]
    reason = f"{metric} {value:.4g} ({interval.low:.4g} to {interval.high:.4g}) against {other:.4g} of `{name}`"
    if paired := found.difference.get(metric, {}).get(name):
        reason += f", paired difference {paired.low:.4g} to {paired.high:.4g}"
    bounds, border = (paired, 0.0) if paired else (interval, other)
    target = f"better than {other:.4g} of `{name}`"
    worst, best = _ends(metric, bounds)
    if beats(metric, value, other):
        if beats(metric, worst, border):
            return Finding(metric, Grade.GOOD, target, f"{reason}: better over the whole interval")
        return Finding(metric, Grade.UNSURE, target, f"{reason}: better, but not over the whole interval")
    told = "worse over the whole interval" if beats(metric, border, best) else "not better"
    return Finding(metric, Grade.BAD, target, f"{reason}: {told}")


def _condition(condition: Condition, found: EvaluationResult) -> Finding:
    metric = condition.metric
    sign = "≥" if higher_is_better(metric) else "≤"
    target = f"{sign} {condition.target:.4g}"
    if metric in found.unmeasured:
        why = f"{metric} cannot be measured: {found.unmeasured[metric]}"
        return Finding(metric, Grade.UNSURE, target, why)
    value = _measured(metric, found)
    reason, least = f"{metric} {value:.4g}", value
    if interval := found.interval.get(metric):
        reason += f" ({interval.low:.4g} to {interval.high:.4g})"
        least, _ = _ends(metric, interval)
    reason += f", target {target}"
    if not beats(metric, condition.target, least) and not beats(metric, condition.target, value):
        return Finding(metric, Grade.GOOD, target, reason)
    if not beats(metric, condition.target, value):
        return Finding(metric, Grade.UNSURE, target, f"{reason}: reached, but not by the whole interval")
    reason += f", review {sign} {condition.review:.4g}"
    return Finding(metric, Grade.BAD if beats(metric, condition.review, value) else Grade.UNSURE, target, reason)


def _ends(metric: str, interval: Interval) -> tuple[float, float]:
    """The interval's worst end and its best."""
    return (interval.low, interval.high) if higher_is_better(metric) else (interval.high, interval.low)


def _measured(metric: str, found: EvaluationResult) -> float:
    if metric not in found.model:
        raise WinnowError(
            f"the gate names the metric `{metric}`, which was not measured",
            fix=f"known: {', '.join(sorted(found.model))}",
        )
    return found.model[metric]
