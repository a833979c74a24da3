"""Batches of rows: what a domain's loaders are usually made of."""

import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from winnow.learn.devices import seed_everything
from winnow.learn.samplers import EpochSampler


class TrainLoader(Protocol):
    """Batches to train on; anything with these two methods will do."""

    def __len__(self) -> int:
        """Micro-batches of this process in one epoch."""

    def epoch(self, seed: int, skip: int) -> Iterator[Any]:
        """
        The batches of the epoch with this seed, without the first `skip`: the same for the same seed, always.

        A mapping with the key `ids` lets the loop name the rows of a batch whose loss is not a number.
        """


@dataclass(frozen=True)
class Loaders:
    """One phase's data."""

    train: TrainLoader
    val: Any
    """handed to the domain's `validate` as it is"""
    rows: Mapping[str, int]
    """split → rows, for the banner"""
    weights: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """class or group → (weight, rows), for the banner"""


class TensorLoader:
    """Tensors that lie in memory, first dimension rows: the fastest way for small rows."""

    def __init__(self, tensors: Mapping[str, Tensor], sampler: EpochSampler) -> None:
        self.tensors = tensors
        self.sampler = sampler

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, seed: int, skip: int = 0) -> Iterator[dict[str, Tensor]]:
        for indices in self.sampler.batches(seed, skip):
            rows = torch.from_numpy(indices)
            yield {name: tensor.index_select(0, rows.to(tensor.device)) for name, tensor in self.tensors.items()}


class OrderedLoader:
    """Tensors in memory, in their own order, for validation."""

    def __init__(self, tensors: Mapping[str, Tensor], batch_size: int) -> None:
        self.tensors = tensors
        self.batch_size = batch_size
        self.rows = len(next(iter(tensors.values())))

    def __len__(self) -> int:
        return math.ceil(self.rows / self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        for start in range(0, self.rows, self.batch_size):
            yield {name: tensor[start : start + self.batch_size] for name, tensor in self.tensors.items()}


class DatasetLoader:
    """
    A torch Dataset read by `num_workers` processes.

    Every row is read under a seed of its own, made from the epoch's seed and its place in the epoch, so that random
    augmentations do not depend on the number of workers.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        sampler: EpochSampler,
        *,
        num_workers: int,
        collate: Callable[[list[Any]], Any] | None = None,
    ) -> None:
        self.sampler = sampler
        self._draws = _Draws(sampler)
        self._loader = DataLoader(
            _Seeded(dataset),
            batch_sampler=self._draws,
            num_workers=num_workers,
            collate_fn=collate,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # else a DataLoader draws from the global one, and dropout would see it
        )

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, seed: int, skip: int = 0) -> Iterator[Any]:
        self._draws.seed, self._draws.skip = seed, skip
        return iter(self._loader)


class _Draws:
    """A batch sampler of (row, seed)."""

    def __init__(self, sampler: EpochSampler) -> None:
        self.sampler = sampler
        self.seed = self.skip = 0

    def __len__(self) -> int:
        return len(self.sampler) - self.skip

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        for number, indices in enumerate(self.sampler.batches(self.seed, self.skip), start=self.skip):
            place = (self.seed, self.sampler.share.rank, number)
            seeds = np.random.SeedSequence(place).generate_state(len(indices))
            yield list(zip(indices.tolist(), seeds.tolist(), strict=True))


class _Seeded(Dataset[Any]):
    """Reads each row under its own seed, and leaves the process's generators as they were."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, draw: tuple[int, int]) -> Any:
        row, seed = draw
        before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        seed_everything(seed, gpu=False)
        try:
            return self.dataset[row]
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])  # noqa: NPY002
            torch.set_rng_state(before[2])
