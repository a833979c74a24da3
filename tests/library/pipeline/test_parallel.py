"""Work on rows side by side gives what a plain loop gives, in order, and draws few rows ahead."""

import os
from typing import Literal

import pytest

from winnow.pipeline import parallel
from winnow.pipeline.parallel import AHEAD, FEW, chunks, spread

Kind = Literal["threads", "processes"]


def halved(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


def process(_: object) -> int:
    return os.getpid()


def test_few_tasks_start_no_process_and_many_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    assert set(spread(process, range(FEW), prefer="processes")) == {os.getpid()}
    assert os.getpid() not in set(spread(process, range(FEW + 1), prefer="processes"))


@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 50])
@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_results_come_in_order_on_any_number_of_cores(
    kind: Kind, count: int, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: cores)
    assert list(spread(abs, range(0, -count, -1), prefer=kind)) == list(range(count))


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_the_error_of_a_task_is_raised_after_the_results_before_it(kind: Kind) -> None:
    found = spread(halved, [*range(0, 40, 2), 41, *range(42, 80, 2)], prefer=kind)
    with pytest.raises(ValueError, match="41 is odd"):
        list(found)


def test_at_most_two_windows_are_drawn_ahead_of_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    drawn: list[int] = []
    tasks = (drawn.append(number) or number for number in range(1000))
    for used, _ in enumerate(spread(abs, tasks, prefer="threads"), start=1):
        assert len(drawn) <= used + 2 * AHEAD * 2
        if used == 100:
            break
    assert len(drawn) < 1000


def test_chunks_hold_so_many_and_the_last_one_the_rest() -> None:
    assert list(chunks(range(7), 3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(chunks([], 3)) == []
