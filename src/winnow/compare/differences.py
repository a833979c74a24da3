"""Is a difference between two models real? Its uncertainty by the choice of test rows, and by the training's seed."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import norm, t

from winnow.compare.revisions import Revision
from winnow.domains.load import has_module, load
from winnow.judge.intervals import Interval
from winnow.judge.multiple import holm
from winnow.judge.paired import Predictions, paired_intervals, same_rows
from winnow.measure.direction import higher_is_better

CONFIDENCE = 0.95
RESAMPLES = 1000
BETTER, WORSE, SAME, UNCLEAR = "better", "worse", "unchanged", "not distinguishable"


@dataclass(frozen=True)
class Difference:
    """One metric before and after a change."""

    metric: str
    before: float
    after: float
    interval: Interval | None
    """of the change, without the correction for looking at many metrics; None when it cannot be known"""
    p_value: float
    decision: str = ""


@dataclass(frozen=True)
class Comparison:
    """The metrics of one domain in two revisions, and what has to be said about them."""

    domain: str
    verdicts: tuple[str, str]
    differences: Sequence[Difference]
    notes: Sequence[str]


def compare(domain: str, before: Revision, after: Revision) -> Comparison:
    """The gate's metrics in both revisions, the headline first, undecided: `decide` judges all domains at once."""
    first, second = (each.json(f"metrics/{domain}/judgement.json") for each in (before, after))
    short = after.json(f"metrics/{domain}/evaluate.json")
    headline = after.yaml("params.yaml")[domain]["evaluate"]["gate"]["headline"]
    both = (name for name in short if name in first.get("model", {}) and name in second.get("model", {}))
    names = sorted(both, key=lambda name: (name != headline, name))
    paired, notes = _paired(domain, before, after, names)
    model = f"train@{domain}", f"data/{domain}/train/model"
    trained_again = _digest(*model, before) != _digest(*model, after)
    noise = after.json(f"metrics/{domain}/noise.json") or before.json(f"metrics/{domain}/noise.json")
    known = noise.get("standard_deviation", {}) if trained_again else dict.fromkeys(names, 0.0)
    if unknown := [name for name in names if name not in known]:
        notes.append(
            f"the spread of {', '.join(unknown)} over training seeds is not known (winnow noise {domain}): intervals "
            "are of the test rows alone, and decide nothing"
        )
    found = []
    for name in names:
        values = first["model"][name], second["model"][name]
        width = _standard_error(name, paired, first, second)
        found.append(_difference(name, values, width, known.get(name), noise.get("seeds", 0)))
    verdicts = first.get("verdict", "none"), second.get("verdict", "none")
    return Comparison(domain, verdicts, found, notes)


def decide(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """The same with decisions: Holm's correction over all metrics of all domains that changed."""
    known = list(comparisons)
    changed = [each for one in known for each in one.differences if each.before != each.after]
    adjusted = iter(holm([each.p_value for each in changed]))
    decided = []
    for one in known:
        differences = [
            replace(each, decision=_decision(each, next(adjusted)) if each.before != each.after else SAME)
            for each in one.differences
        ]
        decided.append(replace(one, differences=differences))
    return decided


def _decision(difference: Difference, p_value: float) -> str:
    if difference.interval is None or not p_value <= 1 - CONFIDENCE:  # NaN decides nothing
        return UNCLEAR
    return BETTER if (difference.after > difference.before) == higher_is_better(difference.metric) else WORSE


def _paired(
    domain: str, before: Revision, after: Revision, names: Sequence[str]
) -> tuple[dict[str, Interval], list[str]]:
    """The paired intervals of what stored predictions give, and why there are none."""
    if not has_module(domain, "comparison"):
        return {}, [f"{domain} has no comparison.py: metrics are compared unpaired"]
    predictions: Predictions = load(domain, "comparison").PREDICTIONS
    path = f"data/{domain}/{predictions.path}"
    tables = [each.table(path) for each in (before, after)]
    missing = [each.title for each, table in zip((before, after), tables, strict=True) if table is None]
    if missing:
        return {}, [f"no stored predictions for {' and '.join(missing)} (dvc pull): metrics are compared unpaired"]
    first, second = (predictions.rows(table) for table in tables if table is not None)
    numbers = [
        [_digest(f"{stage}@{domain}", f"data/{domain}/{stage}", each) for stage in predictions.numbered_by]
        for each in (before, after)
    ]
    if numbers[0] != numbers[1] or not same_rows(first, second, predictions):
        return {}, ["the test set has changed: metrics are compared unpaired, and on other rows"]
    if set(first.columns) != set(second.columns):
        return {}, ["predictions are stored in another form: metrics are compared unpaired"]
    intervals = paired_intervals(
        predictions, first, second, names, resamples=RESAMPLES, confidence=CONFIDENCE, rng=np.random.default_rng(0)
    )
    return intervals, []


def _standard_error(
    name: str, paired: Mapping[str, Interval], first: Mapping[str, Any], second: Mapping[str, Any]
) -> float | None:
    """Of a metric's change, by the choice of the test rows; None when no interval is known."""
    reach = 2 * norm.ppf((1 + CONFIDENCE) / 2)
    if name in paired:
        return float((paired[name].high - paired[name].low) / reach)
    own = [judged["interval"].get(name) for judged in (first, second)]
    if None in own:
        return None
    return float(math.hypot(*((bounds["high"] - bounds["low"]) / reach for bounds in own)))


def _difference(
    name: str, values: tuple[float, float], rows: float | None, seeds: float | None, trainings: int
) -> Difference:
    """A metric's change; `rows` and `seeds` are standard deviations, the latter of one training, from `trainings`.

    Both trainings carry the noise of their seed. Student's t with Welch and Satterthwaite's degrees of freedom. Where
    the noise is not known, the p-value is 1: no change can be told from chance.
    """
    before, after = values
    if rows is None:
        return Difference(name, before, after, None, 1.0)
    if seeds is None:
        reach = float(norm.ppf((1 + CONFIDENCE) / 2)) * rows
        return Difference(name, before, after, Interval(after - before - reach, after - before + reach), 1.0)
    noise = 2 * seeds**2
    spread = math.sqrt(rows**2 + noise)
    if spread == 0:
        return Difference(name, before, after, Interval(after - before, after - before), float(before == after))
    freedom = spread**4 / (noise**2 / (trainings - 1)) if noise else math.inf
    reach = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * spread
    p_value = float(2 * t.sf(abs(after - before) / spread, freedom))
    return Difference(name, before, after, Interval(after - before - reach, after - before + reach), p_value)


def _digest(stage: str, path: str, revision: Revision) -> str | None:
    """The digest of a stage's output in dvc.lock."""
    outs = revision.yaml("dvc.lock").get("stages", {}).get(stage, {}).get("outs", [])
    digest: str | None = {out["path"]: out["md5"] for out in outs}.get(path)
    return digest
