"""
Learning rates as functions of the progress of a training.

Nothing here keeps state: the rate follows from the step and from the metrics so far, so a resumed training has the
same rates as one that was never stopped.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from winnow.learn.settings import Scheduler


@dataclass(frozen=True)
class Schedule:
    """The learning rates of one phase."""

    settings: Scheduler
    peak: float
    steps: int
    """optimiser steps of an epoch"""
    epochs: int

    @property
    def warmup_steps(self) -> int:
        share = self.settings.warmup
        return round(share * self.steps * self.epochs) if share < 1 else round(share)

    def rate(self, step: int, reductions: int) -> float:
        """
        Learning rate at optimiser step `step` of the phase, from 0, after `reductions` plateaus.

        Cosine decay and restarts: Loshchilov and Hutter 2017, SGDR, equation 5.
        """
        if step < self.warmup_steps:
            return self.peak * (step + 1) / self.warmup_steps
        floor = min(self.settings.minimum, self.peak)
        done = step - self.warmup_steps
        if self.settings.name == "cosine":
            return _cosine(self.peak, floor, done / max(1, self.steps * self.epochs - self.warmup_steps))
        if self.settings.name == "cosine_warm_restarts":
            period = self.settings.period * self.steps
            return _cosine(self.peak, floor, done % period / period)
        if self.settings.name == "plateau":
            return float(max(floor, self.peak * self.settings.factor**reductions))
        return self.peak


def _cosine(peak: float, floor: float, progress: float) -> float:
    return floor + (peak - floor) * (1 + math.cos(math.pi * progress)) / 2


def better(value: float, best: float, *, higher: bool, by: float = 0.0) -> bool:
    """Whether `value` is better than `best` by more than `by`."""
    return value > best + by if higher else value < best - by


def best_index(values: Sequence[float], *, higher: bool) -> int:
    """Index of the best value, the first of equals."""
    return values.index(max(values) if higher else min(values))


def validations_without_gain(values: Sequence[float], *, higher: bool, min_delta: float) -> int:
    """Validations since the value last got better by more than `min_delta`."""
    waited, best = 0, math.nan
    for index, value in enumerate(values):
        if index == 0 or better(value, best, higher=higher, by=min_delta):
            waited, best = 0, value
        else:
            waited += 1
    return waited


def reductions(values: Sequence[float], *, higher: bool, patience: int) -> int:
    """Plateaus of more than `patience` validations so far (torch's ReduceLROnPlateau with threshold 0)."""
    count, waited, best = 0, 0, math.nan
    for index, value in enumerate(values):
        if index == 0 or better(value, best, higher=higher):
            waited, best = 0, value
        else:
            waited += 1
        if waited > patience:
            count, waited = count + 1, 0
    return count
