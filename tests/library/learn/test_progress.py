"""Warnings that a history calls for."""

from typing import Any

import pytest

from winnow.learn.progress import Display, warnings


def record(train: dict[str, float], val: dict[str, float]) -> dict[str, Any]:
    return {"train": train, "val": val}


def test_a_gap_of_more_than_ten_points_is_said_once() -> None:
    healthy = record({"accuracy": 0.80, "loss": 0.5}, {"accuracy": 0.71, "loss": 0.5})
    parted = record({"accuracy": 0.95, "loss": 0.4}, {"accuracy": 0.71, "loss": 0.5})
    assert warnings([healthy]) == []
    assert warnings([healthy, parted]) == ["⚠ accuracy: train is 24 points above validation: the model overfits"]
    assert warnings([healthy, parted, parted]) == []
    assert len(warnings([healthy, parted, healthy, parted])) == 1


def test_an_error_may_be_lower_on_train() -> None:
    assert warnings([record({"mae": 0.1}, {"mae": 0.9})]) == []


def test_losses_that_diverge_for_three_validations() -> None:
    records = [record({"loss": 1.0 - 0.1 * epoch}, {"loss": 1.0 + 0.1 * epoch}) for epoch in range(5)]
    assert warnings(records[:3]) == []
    assert warnings(records[:4]) == [
        "⚠ validation loss rose for 3 validations while training loss fell: the model overfits"
    ]
    assert warnings(records) == []


def test_both_losses_rising_is_no_overfitting() -> None:
    trained = (0.5, 0.6, 0.55, 0.5)
    assert warnings([record({"loss": loss}, {"loss": 1.0 + epoch}) for epoch, loss in enumerate(trained)]) == []


@pytest.mark.parametrize(("distinct", "said"), [(1.0, 1), (2.0, 0)])
def test_collapsed_predictions(distinct: float, said: int) -> None:
    found = warnings([record({"loss": 1.0}, {"loss": 1.0, "predictions_distinct": distinct})])
    assert len(found) == said
    assert all("predictions have collapsed" in line for line in found)


def test_a_bar_is_for_terminals_and_silence_for_other_processes(capsys: pytest.CaptureFixture[str]) -> None:
    Display("none", main=True).say("a")
    Display("lines", main=False).say("b")
    lines = Display("auto", main=True)
    assert list(lines.batches([1, 2], "epoch 1", total=2, done=0)) == [1, 2]
    assert capsys.readouterr().err == ""
    assert list(Display("bar", main=True).batches([1, 2], "epoch 1", total=2, done=0)) == [1, 2]
    assert "epoch 1" in capsys.readouterr().err
