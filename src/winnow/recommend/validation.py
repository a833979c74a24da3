"""Validation while training: held-out items ranked a block of users at a time, on the model's device."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.topk import best_of


class UserBlocks:
    """Users with something to find, `block` at a time.

    A batch holds ids (users,), and known and hidden (2, …): (row, item) of the users' known items and of those to find.
    """

    def __init__(self, held: EvaluationSet, block: int) -> None:
        self.held = held
        self.block = block

    def __len__(self) -> int:
        return math.ceil(len(self.held.users) / self.block)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rows = slice(index * self.block, (index + 1) * self.block)
        return {
            "ids": torch.from_numpy(self.held.users[rows]),
            "known": _coordinates(self.held.known[rows]),
            "hidden": _coordinates(self.held.hidden[rows]),
        }


def block_hits(scores: Tensor, batch: Mapping[str, Tensor], places: int) -> dict[str, Tensor]:
    """Hits (users, places) of the lists by the scores (users, items) of a block, and the number of relevant (users,).

    Changes the scores in place: known items are not listed.
    """
    scores.index_put_(tuple(batch["known"]), scores.new_tensor(-torch.inf))
    best, lists = best_of(scores, places)
    hidden = torch.zeros_like(scores, dtype=torch.bool)
    hidden.index_put_(tuple(batch["hidden"]), hidden.new_ones(()))
    return {"hits": hidden.gather(1, lists) & best.isfinite(), "relevant": hidden.sum(dim=1)}


def _coordinates(items: list[NDArray[np.int64]]) -> Tensor:
    """(2, pairs): row and item of lists of items, one list a row."""
    row = np.repeat(np.arange(len(items)), [len(each) for each in items])
    return torch.from_numpy(np.stack([row, np.concatenate(items)]).astype(np.int64))
