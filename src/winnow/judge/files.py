"""The contents of evaluate.json and judgement.json, the same for every domain."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from winnow.judge.baselines import strongest
from winnow.judge.gates import WORDS, Words, decide
from winnow.judge.intervals import Interval
from winnow.judge.result import EvaluationResult
from winnow.judge.settings import Gate
from winnow.pipeline.errors import WinnowError


class EvaluationFiles(NamedTuple):
    metrics: dict[str, Any]
    """evaluate.json, what `dvc metrics diff` compares: verdict, headline with its interval, strongest baseline's value,
    the gate's metrics"""
    judgement: dict[str, Any]
    """judgement.json, everything: verdict, reasons, conditions, sentence, whether the data are the
    embedded ones, model, interval, baseline, reference, difference"""


def evaluation_files(
    gate: Gate, found: EvaluationResult, words: Words = WORDS, *, embedded: bool = False
) -> EvaluationFiles:
    """Both files' content; `embedded` says whether the data are the embedded ones, see `gates.decide`.

    Raises WinnowError naming a value that is NaN or infinite, or a metric that is missing.
    """
    interval = _bounds(found.interval)
    parts = [("model", found.model), *interval.items(), *found.baseline.items(), *found.reference.items()]
    for part, values in parts:
        for name, value in values.items():
            if not math.isfinite(value):
                raise WinnowError(f"{part}: `{name}` is {value}", fix="leave an undefined metric out")
    verdict = decide(gate, found, words, embedded=embedded)
    headline = gate.headline
    metrics = {
        "verdict": verdict.word,
        headline: found.model[headline],
        f"{headline}_low": interval[headline]["low"],
        f"{headline}_high": interval[headline]["high"],
        f"{headline}_baseline": found.baseline[strongest(found.baseline, headline)][headline],
        **{each.metric: found.model[each.metric] for each in gate.conditions if each.metric not in found.unmeasured},
    }
    judgement = {
        "verdict": verdict.word,
        "reasons": verdict.reasons,
        "conditions": verdict.conditions,
        "sentence": verdict.sentence,
        "embedded_data": embedded,
        "model": dict(found.model),
        "interval": interval,
        "baseline": {name: dict(values) for name, values in found.baseline.items()},
        "reference": {name: dict(values) for name, values in found.reference.items()},
        "difference": {metric: _bounds(paired) for metric, paired in found.difference.items()},
    }
    return EvaluationFiles(metrics, judgement)


def _bounds(intervals: Mapping[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: {"low": bounds.low, "high": bounds.high} for name, bounds in intervals.items()}
