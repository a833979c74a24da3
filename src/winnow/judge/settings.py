"""Settings of evaluate stages: the intervals and the gate."""

from typing import Literal

from pydantic import Field, field_validator

from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.section import Float, Section


class Bootstrap(Section):
    resamples: int = Field(ge=100, le=100_000, description="resamples behind each interval")
    confidence: Float = Field(gt=0.5, lt=1, description="share of resamples inside an interval")


class Condition(Section):
    """A target that one metric of the model must reach."""

    metric: str = Field(min_length=1, description="a metric that evaluate measures; the name implies its direction")
    target: Float = Field(description="value that passes (the whole interval must reach it)")
    review: Float = Field(description="value that needs a review; a value worse than this fails")

    @field_validator("metric")
    @classmethod
    def _has_direction(cls, name: str) -> str:
        return _with_direction(name)


class Expected(Section):
    """What is known of the embedded data: a verdict that is not the best one, and why."""

    verdict: Literal["REVIEW", "FAIL"] = Field(description="the verdict that the embedded data give")
    metric: str = Field(min_length=1, description="the metric that keeps it from being the best one")
    reason: str = Field(min_length=1, description="why, reported beside that metric")


class Gate(Section):
    """Conditions on the metrics, see `judge.gates.decide`."""

    headline: str = Field(min_length=1, description="metric on which the model must beat the strongest baseline")
    conditions: list[Condition] = Field(description="targets for single metrics; may be empty")
    expected: Expected | None = Field(description="the verdict on the embedded data, where it is not the best one")

    @field_validator("headline")
    @classmethod
    def _has_direction(cls, name: str) -> str:
        return _with_direction(name)


class Judging(Section):
    """Settings of every domain's evaluate stage; a domain's `Evaluate` inherits from it."""

    threads: int = Field(ge=1, le=256, description="torch's threads; part of the result (the order of sums)")
    bootstrap: Bootstrap = Field(description="the intervals")
    gate: Gate = Field(description="what the verdict depends on")


def _with_direction(name: str) -> str:
    try:
        higher_is_better(name)
    except WinnowError as error:
        raise ValueError(f"{error.what}; {error.fix}") from error
    return name
