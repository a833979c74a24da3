"""What an evaluate stage measured: the model, its baselines, and the intervals of both and of their differences."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from winnow.judge.intervals import Interval, Statistic, bootstrap, difference, values
from winnow.judge.settings import Judging


@dataclass(frozen=True)
class EvaluationResult:
    """What an evaluate stage measured, by metric; `{name: {metric: value}}` for baselines and references."""

    model: Mapping[str, float]
    interval: Mapping[str, Interval]
    baseline: Mapping[str, Mapping[str, float]]
    reference: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """for comparison only, never what the model must beat: real data, other people's models, the truth of drawn data"""
    difference: Mapping[str, Mapping[str, Interval]] = field(default_factory=dict)
    """by metric and baseline, for baselines measured on the same rows: the paired interval of model - baseline"""
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    """by metric, why it cannot be measured on these data: a condition on it gives REVIEW"""

    def adding(self, model: Mapping[str, float], interval: Mapping[str, Interval] | None = None) -> "EvaluationResult":
        """The same with more metrics of the model, measured in another way or on other rows."""
        return replace(self, model={**self.model, **model}, interval={**self.interval, **(interval or {})})

    def joined(self, other: "EvaluationResult") -> "EvaluationResult":
        """Both, measured on different rows or in different metrics."""

        def all_of(field: str) -> dict[str, dict[str, Any]]:
            one, two = getattr(self, field), getattr(other, field)
            return {name: {**one.get(name, {}), **two.get(name, {})} for name in {**one, **two}}

        return replace(
            self.adding(other.model, other.interval),
            baseline=all_of("baseline"),
            reference=all_of("reference"),
            difference=all_of("difference"),
            unmeasured={**self.unmeasured, **other.unmeasured},
        )

    def named(self, chosen: Callable[[str], bool]) -> "EvaluationResult":
        """The same without the model's metrics whose name is not `chosen`."""
        return replace(
            self,
            model={name: value for name, value in self.model.items() if chosen(name)},
            interval={name: each for name, each in self.interval.items() if chosen(name)},
        )


def compare(
    own: Mapping[str, Statistic],
    rivals: Mapping[str, Mapping[str, Statistic]],
    rows: int,
    params: Judging,
    rng: np.random.Generator,
    *,
    groups: ArrayLike | None = None,
    paired: tuple[str, ...] = (),
) -> EvaluationResult:
    """The model and its baselines, measured on the same `rows` test rows.

    `own` and `rivals` are metrics of the model and, by name, of each baseline. Every metric of the model gets an
    interval over resamples of the rows, or of the `groups` (rows,) that belong together; the headline and `paired` get
    that of the difference from each baseline that has them. Raises ValueError without rows.
    """
    options = params.bootstrap.model_dump()
    interval = bootstrap(own, rows, rng=rng, groups=groups, **options)
    apart = {}
    for metric in dict.fromkeys((params.gate.headline, *paired)):
        each = {
            name: difference(own[metric], rival[metric])
            for name, rival in rivals.items()
            if {metric} <= own.keys() & rival.keys()
        }
        if each:
            apart[metric] = bootstrap(each, rows, rng=rng, groups=groups, **options)
    baseline = {name: values(rival, rows) for name, rival in rivals.items()}
    return EvaluationResult(values(own, rows), interval, baseline, difference=apart)
