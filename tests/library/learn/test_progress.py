"""Warnings that a history calls for."""

from collections.abc import Iterator
from typing import Any

import pytest

from winnow.learn import progress
from winnow.learn.progress import Display, record_line, warnings


def record(train: dict[str, float], val: dict[str, float], phase: int = 0) -> dict[str, Any]:
    return {"train": train, "val": val, "phase": phase}


def test_a_gap_of_more_than_ten_points_is_said_once_in_a_training_with_its_size() -> None:
    healthy = record({"accuracy": 0.80, "loss": 0.5}, {"accuracy": 0.71, "loss": 0.5})
    parted = record({"accuracy": 0.95, "loss": 0.4}, {"accuracy": 0.71, "loss": 0.5})
    assert warnings([healthy]) == []
    (line,) = warnings([healthy, parted])
    assert "24 points in accuracy" in line
    for again in (
        [healthy, parted, parted],
        [healthy, parted, healthy, parted],
        [parted, healthy, {**parted, "phase": 1}],
    ):
        assert warnings(again) == []


def test_a_collapsed_validation_is_no_overfitting() -> None:
    collapsed = record({"f1/2": 0.4}, {"f1/2": 0.1, "predictions_distinct": 1.0})
    (line,) = warnings([collapsed])
    assert "overfitting" not in line
    assert "collapsed" in line
    (line,) = warnings([collapsed, record({"f1/2": 0.4}, {"f1/2": 0.1, "predictions_distinct": 2.0})])
    assert "30 points in f1/2" in line


def test_an_epoch_that_takes_minutes_tells_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a log there is no bar; a batch takes 25 seconds."""
    clock = iter(range(0, 10_000, 25))
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def slow() -> Iterator[int]:
        for number in range(10):
            now[0] = next(clock)
            yield number

    assert list(Display("lines", main=True).batches(slow(), "epoch 1", total=12, done=2)) == list(range(10))
    told = capsys.readouterr().err.splitlines()
    assert told == [f"epoch 1: batch {done} of 12 …" for done in (5, 8, 11)]
    list(Display("none", main=True).batches(slow(), "epoch 1", total=12, done=2))
    assert capsys.readouterr().err == ""


def test_an_error_may_be_lower_on_train() -> None:
    assert warnings([record({"mae": 0.1}, {"mae": 0.9})]) == []


def test_losses_that_diverge_for_three_validations() -> None:
    records = [record({"loss": 1.0 - 0.1 * epoch}, {"loss": 1.0 + 0.1 * epoch}) for epoch in range(5)]
    assert warnings(records[:3]) == []
    (line,) = warnings(records[:4])
    assert "validation loss rose from 1 to 1.3" in line
    assert warnings(records) == []
    elsewhere = [{**each, "phase": index // 2} for index, each in enumerate(records)]
    assert warnings(elsewhere[:4]) == [], "a phase starts with its own losses"


def test_both_losses_rising_is_no_overfitting() -> None:
    trained = (0.5, 0.6, 0.55, 0.5)
    assert warnings([record({"loss": loss}, {"loss": 1.0 + epoch}) for epoch, loss in enumerate(trained)]) == []


@pytest.mark.parametrize(("distinct", "said"), [(1.0, 1), (2.0, 0)])
def test_collapsed_predictions(distinct: float, said: int) -> None:
    found = warnings([record({"loss": 1.0}, {"loss": 1.0, "predictions_distinct": distinct})])
    assert len(found) == said
    assert all("predictions have collapsed" in line for line in found)


def test_the_line_of_an_epoch_begins_with_what_is_watched_and_holds_at_most_four_metrics() -> None:
    names = ["auc", "f1/0", "loss", "ndcg_at_10", "predictions_distinct", "recall_at_10", "recall_at_100"]
    values = {name: index / 8 for index, name in enumerate(names)}
    one = {**record({"loss": 2.0}, values), "epoch": 3, "step": 0, "best": True, "learning_rate": 1e-3}
    line = record_line(one, 20, "recall_at_10", 1.25)
    parts = [part.split() for part in line.split(" | ")]
    assert parts[0] == ["epoch", "3/20"]
    assert parts[1] == ["val", "recall_at_10", "0.625"]
    metrics = [part for part in parts if part[0] in {"train", "val"}]
    assert len(metrics) == 4
    assert {tuple(part[:2]) for part in metrics} >= {("val", "loss"), ("train", "loss")}
    assert ["1.2", "s"] in parts
    assert parts[-1] == ["✓", "new", "best"]
    watched_alone = {**one, "val": {"f1/3": 0.5}, "train": {}, "best": False, "step": 4}
    assert record_line(watched_alone, 20, "f1/3", 1.0).split(" | ")[:2] == ["epoch 3/20, step 4", "val f1/3 0.5"]
    of_grades = {**one, "val": {"f1/0": 0.9724, "f1/1": 0.0, "macro_f1": 0.5}}
    told = record_line(of_grades, 20, "macro_f1", 1.0, "f1").split(" | ")
    assert "val f1 0 0.97, 1 0.00" in told, "what each class has, whatever their mean"
    assert "val macro_f1 0.5" in told


def test_a_bar_is_for_terminals_and_silence_for_other_processes(capsys: pytest.CaptureFixture[str]) -> None:
    Display("none", main=True).say("a")
    Display("lines", main=False).say("b")
    lines = Display("auto", main=True)
    assert list(lines.batches([1, 2], "epoch 1", total=2, done=0)) == [1, 2]
    assert capsys.readouterr().err == ""
    assert list(Display("bar", main=True).batches([1, 2], "epoch 1", total=2, done=0)) == [1, 2]
    assert "epoch 1" in capsys.readouterr().err
