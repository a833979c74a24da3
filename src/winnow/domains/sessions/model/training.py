"""What sessions passes to the training loop: the model, the batches, the loss and the validation."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import softplus

from winnow.domains.sessions.model.batches import Negatives, UserLoader
from winnow.domains.sessions.model.graph import Graph
from winnow.domains.sessions.model.ranking import PLACES, best_of, cutoff_metrics
from winnow.domains.sessions.model.tensors import Held, graph_of, held_out, user_types
from winnow.domains.sessions.params import Train
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare
from winnow.learn.tally import Loss

VALIDATION_BLOCK = 512
"""Users ranked at a time; memory only."""
MASKED = -1e9


@dataclass(frozen=True)
class Fields:
    """What is trained on: a graph, how much each of its edges counts, and who is looked at after each epoch."""

    graph: Graph
    types: Tensor
    weights: np.ndarray
    """(edges,), in the graph's order"""
    val: Held


def learnt_sides(mode: str) -> list[str]:
    """The sides of the split that a mode learns from."""
    return ["train", "val"] if mode == "simple" else ["train"]


def fields(types: pd.DataFrame, songs: int, pairs: pd.DataFrame, params: Train) -> Fields:
    """
    The training graph of `pairs` (`InteractionWeights`), the rows of the mode's sides; `types` are `UserTypes`.

    In mode simple the validation rows that are looked for after an epoch were learnt from: that figure tells whether
    the network learns, not how good it is.
    """
    train = pairs[pairs["split"] == "train"]
    used = pairs[pairs["split"].isin(learnt_sides(params.mode))].sort_values(["user_index", "song_index"])
    graph, kinds = graph_of(used, (len(types), songs)), user_types(types)
    hidden = pairs[pairs["split"] == "val"]
    someone = hidden["user_index"].unique()
    looked_at = someone[:: -(-len(someone) // params.validation_users)]
    val = held_out(graph, kinds, hidden=hidden[hidden["user_index"].isin(looked_at)], known=train)
    return Fields(graph, kinds, used["weight"].to_numpy(dtype=np.float32), val)


class UserBlocks:
    """Validation users, a block at a time: their numbers, and (row, song) of what they know and of what is hidden."""

    def __init__(self, held: Held, block: int) -> None:
        self.held = held
        self.block = block

    def __len__(self) -> int:
        return math.ceil(len(self.held.users) / self.block)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rows = slice(index * self.block, (index + 1) * self.block)
        return {
            "ids": torch.from_numpy(self.held.users[rows]),
            "known": _pairs(self.held.known[rows]),
            "hidden": _pairs(self.held.hidden[rows]),
        }


def _pairs(songs: list[NDArray[np.int64]]) -> Tensor:
    """(2, songs): row and song of lists of songs, one list a row."""
    row = np.repeat(np.arange(len(songs)), [len(one) for one in songs])
    return torch.from_numpy(np.stack([row, np.concatenate(songs)]).astype(np.int64))


def make_loaders(found: Fields, negatives: Negatives, params: Train, share: BatchShare) -> Loaders:
    """Batches of users of the training graph, and the validation users."""
    return Loaders(
        train=UserLoader(found.graph, found.weights, negatives, share, params.hidden_share),
        val=UserBlocks(found.val, VALIDATION_BLOCK),
        rows={"train": len(found.weights), "val": sum(map(len, found.val.hidden))},
    )


def batch_loss(model: nn.Module, batch: Mapping[str, Any], *, loss: str, l2: float) -> Loss:
    """Loss of the hidden songs of a batch, weighted by their interactions' weights.

    `l2` penalises the squared length of the vectors of each hidden song and of its negatives.
    """
    vectors, songs, bias = model(batch["graph"], batch["types"], batch["keep"])
    users = vectors[batch["ids"]]
    of_song = songs[batch["song"]]
    own = (users[batch["row"]] * of_song).sum(dim=1) + bias[batch["song"]]
    if loss == "bpr":
        others = songs[batch["negative"]]
        rival = (users[batch["row"]] * others).sum(dim=1) + bias[batch["negative"]]
        each = softplus(rival - own)  # -ln sigmoid(own - rival): Rendle et al. 2009
        negative = others.square().sum(dim=1)
    else:
        shared = songs[batch["shared"]]
        rivals = users @ shared.T + bias[batch["shared"]] - batch["log_chance"]
        rivals = rivals.index_put(tuple(batch["known"]), rivals.new_tensor(MASKED))
        each = torch.logaddexp(torch.logsumexp(rivals, dim=1)[batch["row"]], own) - own
        negative = shared.square().sum(dim=1).mean()
    penalty = of_song.square().sum(dim=1) + negative
    weight = batch["weight"]
    return Loss((weight * (each + l2 * penalty)).sum(), weight.sum())


def predict(model: nn.Module, batches: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Tensor]]:
    """Of each validation user: which places of the list of recommended songs are hits, and how many there could be."""
    vectors: tuple[Tensor, Tensor, Tensor] | None = None
    for batch in batches:
        if vectors is None:
            users, songs, bias = model(batch["graph"], batch["types"])
            vectors = users, songs.T.contiguous(), bias
        users, turned, bias = vectors
        scores = torch.addmm(bias, users[batch["ids"]], turned)
        scores.index_put_(tuple(batch["known"]), scores.new_tensor(-torch.inf))
        best, lists = best_of(scores, PLACES)
        hidden = torch.zeros_like(scores, dtype=torch.bool)
        hidden.index_put_(tuple(batch["hidden"]), hidden.new_ones(()))
        yield {"hits": hidden.gather(1, lists) & best.isfinite(), "relevant": hidden.sum(dim=1)}


def metrics(users: Mapping[str, Tensor]) -> dict[str, float]:
    """Recall and NDCG over all songs for the users with something to find."""
    found = cutoff_metrics(users["hits"].numpy(), users["relevant"].numpy())
    return {name: float(values.mean()) for name, values in found.items()}


def to_negatives(sampling: pd.DataFrame, count: int) -> Negatives:
    """The negatives that the weight stage asks for."""
    return Negatives(sampling["probability"].to_numpy(dtype=np.float64), count)
