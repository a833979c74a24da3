"""Every song ranked for every user, a block of users at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.tensors import Held
from winnow.measure.ranking import ndcg_at, recall_at

PLACES = max(definitions.CUTOFFS)
FEW = 256
"""As many scores are sorted without ado."""

Scorer = Callable[[NDArray[np.int64]], Tensor]
"""Scores of all songs for some users (numbers), (users, songs), to be changed in place by the caller."""


@dataclass(frozen=True)
class Ranking:
    """The lists of some users. An empty place (more places than songs) holds -1."""

    users: NDArray[np.int64]
    lists: NDArray[np.int64]
    """(users, PLACES): songs, best first"""
    hits: NDArray[np.bool_]
    """(users, PLACES)"""
    relevant: NDArray[np.int64]
    """(users,): songs to be found"""
    reciprocal_rank: NDArray[np.float64]
    """(users,): 1 / place of the first song to be found, over the full ranking"""


def rank(users: Tensor, songs: Tensor, bias: Tensor, held: Held, block: int) -> Ranking:
    """The lists by the network's vectors."""
    turned = songs.T.contiguous()
    return rank_by(lambda numbers: torch.addmm(bias, users[torch.from_numpy(numbers)], turned), held, block)


def rank_by(scorer: Scorer, held: Held, block: int) -> Ranking:
    """The lists by any scorer; songs known of a user are not listed. Ties go to the song of the lower number."""
    parts = [_rank_block(scorer, held, slice(start, start + block)) for start in range(0, len(held.users), block)]
    lists, hits, reciprocal = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    relevant = np.array([len(songs) for songs in held.hidden])
    return Ranking(held.users, lists, hits, relevant, reciprocal)


def _rank_block(
    scorer: Scorer, held: Held, rows: slice
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float64]]:
    scores = scorer(held.users[rows])
    known, hidden = held.known[rows], held.hidden[rows]
    scores[_places(known, scores)] = -torch.inf
    best, lists = best_of(scores, PLACES)
    listed = torch.where(torch.isfinite(best), lists, -1).cpu().numpy()
    listed = np.pad(listed, ((0, 0), (0, PLACES - listed.shape[1])), constant_values=-1)
    row, song = _places(hidden, scores)
    first = torch.full((len(scores),), -torch.inf, device=scores.device)
    first = first.scatter_reduce(0, row, scores[row, song], "amax")
    rows_of = zip(scores.cpu().numpy(), first.tolist(), strict=True)
    ahead = np.array([np.count_nonzero(row > least) for row, least in rows_of])  # twenty times PyTorch's speed
    keys = row.cpu().numpy() * scores.shape[1] + song.cpu().numpy()
    own = np.arange(len(listed))[:, None] * scores.shape[1] + listed
    hits = np.isin(own, keys) & (listed >= 0)
    return listed, hits, 1.0 / (1.0 + ahead)


def best_of(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` highest of each row, the highest first, equals by number: values and numbers, (rows, count).

    Exact, and on a CPU twice as fast as `topk`, which promises nothing about equals: they lie in the `count` pieces
    of the row with the highest maxima.
    """
    songs = scores.shape[1]
    if songs <= max(FEW, 4 * count):
        values, numbers = scores.sort(dim=1, descending=True, stable=True)
        return values[:, :count], numbers[:, :count]
    width = max(2, math.isqrt(songs // count))
    whole = songs // width * width
    pieces = scores[:, :whole].view(len(scores), -1, width)
    chosen = best_of(pieces.amax(dim=2), count)[1].sort(dim=1).values[:, :, None]
    rest = torch.arange(whole, songs, device=scores.device).expand(len(scores), -1)
    numbers = torch.cat([(chosen * width + torch.arange(width, device=scores.device)).flatten(1), rest], dim=1)
    values, places = best_of(scores.gather(1, numbers), count)
    return values, numbers.gather(1, places)


def _places(songs: list[NDArray[np.int64]], scores: Tensor) -> tuple[Tensor, Tensor]:
    """(row, song) of lists of songs, one list a row."""
    row = np.repeat(np.arange(len(songs)), [len(one) for one in songs])
    song = np.concatenate(songs) if songs else np.zeros(0, dtype=np.int64)
    return torch.from_numpy(row).to(scores.device), torch.from_numpy(song.astype(np.int64)).to(scores.device)


def rank_metrics(ranked: Ranking) -> dict[str, NDArray[np.float64]]:
    """Recall and NDCG at each cutoff, (users,) each."""
    return cutoff_metrics(ranked.hits, ranked.relevant)


def cutoff_metrics(hits: NDArray[np.bool_], relevant: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
    """Recall and NDCG at each cutoff, (users,) each, of `hits` (users, PLACES) and `relevant` (users,)."""
    found = {f"recall_at_{k}": recall_at(hits, relevant, k) for k in definitions.CUTOFFS}
    return found | {f"ndcg_at_{k}": ndcg_at(hits, relevant, k) for k in definitions.CUTOFFS}
