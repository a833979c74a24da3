"""Learning rates, beside torch's own schedulers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from winnow.learn.schedulers import Schedule, best_index, reductions, validations_without_gain
from winnow.learn.settings import Scheduler


def schedule(name: str, **changes: float) -> Schedule:
    values = {"warmup": 0.0, "period": 2, "factor": 0.5, "patience": 1, "minimum": 0.001, **changes}
    return Schedule(Scheduler.model_validate({"name": name, **values}), peak=0.1, steps=5, epochs=4)


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("cosine", lambda moved: lr_scheduler.CosineAnnealingLR(moved, T_max=20, eta_min=0.001)),
        ("cosine_warm_restarts", lambda moved: lr_scheduler.CosineAnnealingWarmRestarts(moved, T_0=10, eta_min=0.001)),
        ("constant", lambda moved: lr_scheduler.ConstantLR(moved, factor=1.0)),
    ],
)
def test_as_torch(name: str, make: "type[lr_scheduler.LRScheduler]") -> None:
    moved = optimizer()
    theirs = make(moved)
    for step in range(20):
        assert schedule(name).rate(step, 0) == pytest.approx(moved.param_groups[0]["lr"])
        moved.step()
        theirs.step()


@given(
    values=st.lists(st.sampled_from([0.5, 1.0, 1.5, 2.0]), max_size=20), patience=st.integers(0, 3), up=st.booleans()
)
def test_plateau_as_torch(values: list[float], patience: int, up: bool) -> None:
    moved = optimizer()
    mode = "max" if up else "min"
    theirs = lr_scheduler.ReduceLROnPlateau(
        moved, mode=mode, factor=0.5, patience=patience, threshold=0.0, min_lr=0.001
    )
    for value in values:
        theirs.step(value)
    drops = reductions(values, higher=up, patience=patience)
    assert schedule("plateau").rate(0, drops) == pytest.approx(moved.param_groups[0]["lr"])


@pytest.mark.parametrize(("warmup", "steps"), [(0.25, 5), (8.0, 8), (0.0, 0)])
def test_warmup_by_share_or_steps_rises_to_the_peak(warmup: float, steps: int) -> None:
    made = schedule("cosine", warmup=warmup)
    assert made.warmup_steps == steps
    rates = [made.rate(step, 0) for step in range(20)]
    assert rates[:steps] == pytest.approx([0.1 * (step + 1) / steps for step in range(steps)])
    assert rates[steps] == pytest.approx(0.1)
    assert rates[-1] < 0.01


def test_a_minimum_above_the_peak_is_the_peak() -> None:
    assert schedule("cosine", minimum=1.0).rate(19, 0) == pytest.approx(0.1)


def test_best_and_patience() -> None:
    assert best_index([3.0, 1.0, 2.0, 1.0], higher=False) == 1
    assert best_index([3.0, 1.0, 3.0], higher=True) == 0
    assert validations_without_gain([], higher=True, min_delta=0.0) == 0
    assert validations_without_gain([1.0, 0.9, 0.85, 0.8], higher=False, min_delta=0.0) == 0
    assert validations_without_gain([1.0, 0.95, 0.92], higher=False, min_delta=0.1) == 2
    assert validations_without_gain([0.5, 0.7, 0.75], higher=True, min_delta=0.1) == 1
