"""Batches: the same whatever the number of workers, and without touching the training's generators."""

import random

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from winnow.learn.loaders import DatasetLoader, OrderedLoader, TensorLoader
from winnow.learn.samplers import BatchShare, EpochSampler


class Augmented(Dataset[tuple[int, Tensor]]):
    """Rows with all three kinds of noise."""

    def __getitem__(self, index: int) -> tuple[int, Tensor]:
        noise = [torch.rand(1).item(), random.random(), np.random.rand()]  # noqa: NPY002
        return index, torch.tensor(noise, dtype=torch.float64)


def test_augmentations_do_not_depend_on_workers_or_on_what_was_drawn_before() -> None:
    sampler = EpochSampler(20, BatchShare(4, 1, 1, 0))
    loaders = [DatasetLoader(Augmented(), sampler, num_workers=workers) for workers in (0, 2)]
    alone, many = ([(rows.tolist(), noise.tolist()) for rows, noise in loader.epoch(5, 0)] for loader in loaders)
    assert alone == many
    torch.manual_seed(1)
    before = torch.get_rng_state(), random.getstate()
    again = [(rows.tolist(), noise.tolist()) for rows, noise in loaders[0].epoch(5, 2)]
    assert again == alone[2:]
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    other = [(rows.tolist(), noise.tolist()) for rows, noise in loaders[0].epoch(6, 0)]
    assert other != alone
    every = [value for _, noise in alone for row in noise for value in row]
    assert len(set(every)) == len(every)


def test_tensors_are_drawn_by_row() -> None:
    tensors = {"x": torch.arange(10) * 2, "ids": torch.arange(10)}
    for batch in TensorLoader(tensors, EpochSampler(10, BatchShare(4, 1, 1, 0))).epoch(3):
        assert torch.equal(batch["x"], batch["ids"] * 2)
    ordered = OrderedLoader(tensors, 4)
    assert [batch["ids"].tolist() for batch in ordered] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert len(ordered) == 3
