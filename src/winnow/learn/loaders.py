"""Loaders of batches of rows, and prefetching."""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from winnow.learn.samplers import EpochSampler


class TrainLoader(Protocol):
    """Batches to train on, each of which can be made on its own, in any order and in any thread."""

    sampler: EpochSampler
    """which rows are in which micro-batch"""

    def batch(self, seed: int, index: int) -> Any:
        """
        Micro-batch `index` of this process in the epoch with this seed: always the same for the same arguments.

        A mapping with the key `ids` lets the loop name the rows of a batch whose loss is not a number.
        """


class ValLoader(Protocol):
    """Batches to validate on, in order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


@dataclass(frozen=True)
class Loaders:
    """One phase's data."""

    train: TrainLoader
    val: ValLoader
    rows: Mapping[str, int]
    """split → rows, for the banner"""
    weights: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """class or group → (weight, rows), for the banner"""


class TensorLoader:
    """Tensors in memory, first dimension rows: the fastest way for small rows."""

    def __init__(self, tensors: Mapping[str, Tensor], sampler: EpochSampler) -> None:
        self.tensors = tensors
        self.sampler = sampler

    def batch(self, seed: int, index: int) -> dict[str, Tensor]:
        rows = torch.from_numpy(self.sampler.batch(seed, index))
        return {name: tensor.index_select(0, rows) for name, tensor in self.tensors.items()}


class OrderedLoader:
    """Tensors in memory, in their own order, for validation."""

    def __init__(self, tensors: Mapping[str, Tensor], batch_size: int) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.rows = len(next(iter(tensors.values())))

    def __len__(self) -> int:
        return math.ceil(self.rows / self.batch_size)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * self.batch_size
        return {name: tensor[start : start + self.batch_size] for name, tensor in self.tensors.items()}


def prefetch(make: Callable[[int], Any], numbers: Iterable[int], workers: int) -> Iterator[Any]:
    """
    `make(number)` of each number, in order, made ahead by that many threads; with 0, each when it is needed.

    Threads are enough: reading, decoding and tensor operations release the interpreter lock.
    """
    if workers == 0:
        yield from map(make, numbers)
        return
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(threads,))
    pending: deque[Future[Any]] = deque()
    try:
        for number in numbers:
            pending.append(pool.submit(make, number))
            if len(pending) > 2 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
