"""All items ranked for every user, a block of users at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.measure.ranking import cutoff_metrics
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.topk import best_of

Scorer = Callable[[NDArray[np.int64]], Tensor]
"""Scores of all items for some users (rows,), (rows, items); the caller may change them in place."""


@dataclass(frozen=True)
class Ranking:
    """The lists of some users. An empty place (more places than items) holds -1."""

    users: NDArray[np.int64]
    lists: NDArray[np.int64]
    """(users, places): items, best first"""
    hits: NDArray[np.bool_]
    """(users, places): whether the item is one to find"""
    relevant: NDArray[np.int64]
    """(users,): number of items to find"""
    reciprocal_rank: NDArray[np.float64]
    """(users,): 1 / rank of the first item to find, over the full ranking"""
    scores: NDArray[np.float32]
    """(users, places): of the listed items, -∞ in an empty place"""


def dot_scorer(users: Tensor, items: Tensor, bias: Tensor) -> Scorer:
    """Scores users (users, dim) · items (items, dim) + bias (items,)."""
    transposed = items.T.contiguous()
    return lambda numbers: torch.addmm(bias, users[torch.from_numpy(numbers)], transposed)


def rank_by(scorer: Scorer, held: EvaluationSet, *, places: int, block: int) -> Ranking:
    """Lists of `places` items by any scorer, without the user's known items; ties go to the lower item number.

    `block` users are ranked at a time: it changes the memory needed, nothing else.
    """
    starts = range(0, len(held.users), block)
    parts = [_rank_block(scorer, held, slice(start, start + block), places) for start in starts]
    lists, hits, reciprocal, listed = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    relevant = np.array([len(items) for items in held.hidden])
    return Ranking(held.users, lists, hits, relevant, reciprocal, listed)


def _rank_block(
    scorer: Scorer, held: EvaluationSet, rows: slice, places: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float32]]:
    scores = scorer(held.users[rows])
    known, hidden = held.known[rows], held.hidden[rows]
    scores[_coordinates(known, scores)] = -torch.inf
    best, lists = best_of(scores, places)
    listed = torch.where(torch.isfinite(best), lists, -1).cpu().numpy()
    empty = ((0, 0), (0, places - listed.shape[1]))
    listed, values = (
        np.pad(listed, empty, constant_values=-1),
        np.pad(best.cpu().numpy(), empty, constant_values=-np.inf),
    )
    row, item = _coordinates(hidden, scores)
    ahead = np.array([_ahead(own, items) for own, items in zip(scores.cpu().numpy(), hidden, strict=True)])
    keys = row.cpu().numpy() * scores.shape[1] + item.cpu().numpy()
    own = np.arange(len(listed))[:, None] * scores.shape[1] + listed
    hits = np.isin(own, keys) & (listed >= 0)
    return listed, hits, 1.0 / (1.0 + ahead), values


def _ahead(scores: NDArray[np.float32], hidden: NDArray[np.int64]) -> int:
    """How many items rank before the first hidden one. In NumPy: 20 times as fast as in PyTorch."""
    first = hidden[np.argmax(scores[hidden])]  # the first of equal ones: `hidden` is sorted
    return int(np.count_nonzero(scores > scores[first]) + np.count_nonzero(scores[:first] == scores[first]))


def _coordinates(items: list[NDArray[np.int64]], scores: Tensor) -> tuple[Tensor, Tensor]:
    """(row, item) of lists of items, one list a row."""
    row = np.repeat(np.arange(len(items)), [len(each) for each in items])
    item = np.concatenate(items) if items else np.zeros(0, dtype=np.int64)
    return torch.from_numpy(row).to(scores.device), torch.from_numpy(item.astype(np.int64)).to(scores.device)


def rank_metrics(ranked: Ranking, cutoffs: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """`cutoff_metrics` of the lists."""
    return cutoff_metrics(ranked.hits, ranked.relevant, cutoffs)
