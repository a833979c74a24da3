"""SASRec (Kang and McAuley 2018): a small transformer that reads a playlist's last tracks and says what comes next."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from winnow.domains.playlists.evaluation.rivals import Fitted
from winnow.domains.playlists.model.sequences import Sequences
from winnow.measure.ranking import recall_at
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.ranking import Scorer, rank_by

LAYERS, HEADS, DROPOUT = 2, 2, 0.2
HISTORY = 50
"""Last tracks that are read."""
BATCH = 64
NEGATIVES = 1024
"""Drawn for a batch, by popularity; the softmax is corrected for it (as gSASRec's and the model's own are)."""
PATIENCE = 5
SELECTED_AT = 10
"""K of the validation Recall@K that selects the epoch."""


class SASRec(nn.Module):
    """Scores of the tracks that follow each place of a list."""

    def __init__(self, counts: NDArray[np.int64], dim: int) -> None:
        """`counts` (tracks,): training playlists of each track, by which its bias starts."""
        super().__init__()
        tracks = len(counts)
        self.track = nn.Embedding(tracks + 1, dim, padding_idx=tracks)
        nn.init.normal_(self.track.weight, std=0.02)
        self.place = nn.Parameter(torch.randn(HISTORY, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(dim, HEADS, dim, DROPOUT, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, LAYERS, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(DROPOUT)
        self.bias = nn.Parameter(torch.from_numpy(np.log(np.maximum(counts, 0.1)).astype(np.float32)))

    def forward(self, lists: Tensor) -> Tensor:
        """(lists, places, dim) for tracks (lists, places), the first one first, and `tracks` after the last one.

        A place sees itself and those before it, so that what comes after a list's end changes nothing.
        """
        places = lists.shape[1]
        inputs = self.dropout(self.track(lists) * self.track.embedding_dim**0.5 + self.place[:places])
        later = torch.full((places, places), -torch.inf).triu(1)
        found: Tensor = self.norm(self.layers(inputs, mask=later, is_causal=True))
        return found


@dataclass(frozen=True)
class Trained:
    fitted: Fitted
    epoch: int
    """with the most validation tracks found"""


@torch.enable_grad()  # its callers evaluate, without gradients
def fit_sasrec(
    train: Sequences, val: EvaluationSet, *, dim: int, epochs: int, learning_rate: float, seed: int, block: int
) -> Trained:
    """The epoch that finds most of `val`'s tracks, among those before PATIENCE ones are no better."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    held = np.bincount(train.track, minlength=train.tracks)
    model = SASRec(held, dim)
    # fused: it takes an exact square root, so its bits are the same on any CPU (see `learn.task.adamw`)
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    counts = held**0.75
    chance = counts / counts.sum()
    active = np.flatnonzero(train.lengths() > 1)
    kept, best, best_epoch = {name: each.clone() for name, each in model.state_dict().items()}, -1.0, 0
    for epoch in range(1, epochs + 1):
        model.train()
        order = rng.permutation(active)
        for start in range(0, len(order), BATCH):
            loss = _loss(model, train, order[start : start + BATCH], chance, rng)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            ranked = rank_by(scorer(model, train), val, places=SELECTED_AT, block=block)
        recall = float(recall_at(ranked.hits, ranked.relevant, SELECTED_AT).mean())
        if recall > best:
            best, best_epoch = recall, epoch
            kept = {name: each.clone() for name, each in model.state_dict().items()}
        elif epoch - best_epoch >= PATIENCE:
            break
    model.load_state_dict(kept)
    return Trained(lambda given: scorer(model, given), best_epoch)


def _loss(
    model: SASRec,
    train: Sequences,
    playlists: NDArray[np.int64],
    chance: NDArray[np.float64],
    rng: np.random.Generator,
) -> Tensor:
    """The mean loss of each place's next track among it and the negatives, corrected for how often these are drawn."""
    lengths = train.lengths()[playlists]
    ends = train.indptr[playlists] + rng.integers(np.minimum(lengths, HISTORY + 1), lengths + 1)
    start = np.maximum(train.indptr[playlists], ends - HISTORY - 1)
    place = start[:, None] + np.arange(int((ends - start).max()))
    inside = place < ends[:, None]
    lists = torch.from_numpy(np.where(inside, train.track[np.where(inside, place, 0)], train.tracks))
    given, target = lists[:, :-1], lists[:, 1:]
    counted = torch.from_numpy(inside[:, 1:])
    negative = np.unique(rng.choice(len(chance), NEGATIVES, p=chance))
    vectors = model(given)[counted]
    own, others = target[counted], torch.from_numpy(negative)
    log_chance = torch.from_numpy(np.log(np.maximum(NEGATIVES * chance, 1e-12)).astype(np.float32))
    positive = (vectors * model.track(own)).sum(dim=1) + model.bias[own] - log_chance[own]
    scores = vectors @ model.track(others).T + model.bias[others] - log_chance[others]
    scores = scores.masked_fill(own[:, None] == others, -torch.inf)
    together = torch.cat([positive[:, None], scores], dim=1)
    return cross_entropy(together, torch.zeros(len(own), dtype=torch.int64))


def scorer(model: SASRec, given: Sequences) -> Scorer:
    """The scores of all tracks for playlists by the last tracks `given`; 0 for a playlist without any."""
    model.eval()

    def scores(playlists: NDArray[np.int64]) -> Tensor:
        with torch.no_grad():
            last = given.last(playlists, HISTORY)
            counts = (last >= 0).sum(axis=1)
            order = counts[:, None] - 1 - np.arange(HISTORY)  # the first one first; below 0 nothing is left
            lists = np.where(order >= 0, np.take_along_axis(last, np.maximum(order, 0), axis=1), given.tracks)
            read = model(torch.from_numpy(lists))[torch.arange(len(lists)), torch.from_numpy(np.maximum(counts - 1, 0))]
            found: Tensor = read @ model.track.weight[:-1].T + model.bias
        return found

    return scores
