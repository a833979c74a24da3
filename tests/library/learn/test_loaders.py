"""Batches: the same whatever the number of workers."""

import threading
import time

import pytest
import torch

from winnow.learn.loaders import OrderedLoader, TensorLoader, prefetch
from winnow.learn.samplers import BatchShare, EpochSampler


def test_prefetched_batches_are_in_order_and_made_in_threads() -> None:
    made_in: set[str] = set()

    def make(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        made_in.add(threading.current_thread().name)
        assert torch.get_num_threads() == threads
        return number * number

    threads = torch.get_num_threads()
    expected = [number * number for number in range(3, 30)]
    assert list(prefetch(make, range(3, 30), 0)) == expected
    assert made_in == {threading.current_thread().name}
    made_in.clear()
    assert list(prefetch(make, range(3, 30), 2)) == expected
    assert len(made_in) == 2
    assert threading.current_thread().name not in made_in


def test_prefetching_stops_with_its_reader_and_passes_errors_on() -> None:
    made: list[int] = []
    reader = prefetch(lambda number: made.append(number) or number, range(1000), 2)
    assert next(reader) == 0
    reader.close()
    assert len(made) < 20

    def fail(number: int) -> int:
        raise ValueError(f"batch {number}")

    with pytest.raises(ValueError, match="batch 0"):
        list(prefetch(fail, range(3), 2))


def test_tensors_are_drawn_by_row() -> None:
    tensors = {"x": torch.arange(10) * 2, "ids": torch.arange(10)}
    loader = TensorLoader(tensors, EpochSampler(10, BatchShare(4, 1, 1, 0)))
    drawn = [loader.batch(3, index) for index in range(len(loader.sampler))]
    assert all(torch.equal(batch["x"], batch["ids"] * 2) for batch in drawn)
    assert sorted(torch.cat([batch["ids"] for batch in drawn]).tolist()) == list(range(10))
    ordered = OrderedLoader(tensors, 4)
    assert [batch["ids"].tolist() for batch in ordered] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(ordered) == 3
