"""The shape of evaluate.json, the same for every domain."""

import math
from collections.abc import Mapping
from typing import Any

from winnow.judge.gates import decide
from winnow.judge.intervals import Interval
from winnow.judge.settings import Gate
from winnow.pipeline.errors import WinnowError


def verdict_report(
    gate: Gate,
    model: Mapping[str, float],
    intervals: Mapping[str, Interval],
    baselines: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """`{verdict, reasons, model: {metric}, interval: {metric: {low, high}}, baseline: {name: {metric}}}`.

    Raises WinnowError naming a number that is none (NaN, infinity), or a metric that the gate needs and misses.
    """
    interval = {name: {"low": bounds.low, "high": bounds.high} for name, bounds in intervals.items()}
    baseline = {name: dict(values) for name, values in baselines.items()}
    for part, values in [("model", dict(model)), *interval.items(), *baseline.items()]:
        for name, value in values.items():
            if not math.isfinite(value):
                raise WinnowError(f"{part}: `{name}` is {value}", fix="leave an undefined metric out")
    verdict = decide(gate, model, intervals, baselines)
    return {
        "verdict": verdict.word,
        "reasons": verdict.reasons,
        "model": dict(model),
        "interval": interval,
        "baseline": baseline,
    }
