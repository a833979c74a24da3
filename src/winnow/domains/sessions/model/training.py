"""What the loop is handed: the model, the batches, the loss and the validation."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from winnow.domains.sessions.model.batches import Negatives, UserLoader
from winnow.domains.sessions.model.graph import Graph
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.ranking import rank, rank_metrics
from winnow.domains.sessions.model.tensors import Held, graph_of, held_out, user_types
from winnow.domains.sessions.params import Train
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare

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


def make_loaders(found: Fields, negatives: Negatives, params: Train, share: BatchShare) -> Loaders:
    """Batches of users of the training graph, and the validation users."""
    train = UserLoader(found.graph, found.weights, negatives, share, params.hidden_share)
    return Loaders(
        train=train, val=found.val, rows={"train": len(found.weights), "val": sum(map(len, found.val.hidden))}
    )


def batch_loss(
    model: nn.Module, batch: Mapping[str, Tensor], *, graph: Graph, types: Tensor, loss: str, l2: float
) -> Tensor:
    """Mean loss of the hidden songs of a batch, weighed by their interactions' weights."""
    device = batch["ids"].device
    vectors, songs, bias = model(graph.to(device), types.to(device), batch["keep"])
    users = vectors[batch["ids"]]
    of_song = songs[batch["song"]]
    own = (users[batch["row"]] * of_song).sum(dim=1) + bias[batch["song"]]
    if loss == "bpr":
        others = songs[batch["negative"]]
        rival = (users[batch["row"]] * others).sum(dim=1) + bias[batch["negative"]]
        each = softplus(rival - own)  # -ln sigmoid(own - rival): Rendle et al. 2009
        penalty = of_song.square().sum(dim=1).mean() + others.square().sum(dim=1).mean()
    else:
        shared = songs[batch["shared"]]
        rivals = users @ shared.T + bias[batch["shared"]] - batch["log_chance"]
        rivals = rivals.index_put(tuple(batch["known"]), rivals.new_tensor(MASKED))
        each = torch.logaddexp(torch.logsumexp(rivals, dim=1)[batch["row"]], own) - own
        penalty = of_song.square().sum(dim=1).mean() + shared.square().sum(dim=1).mean()
    weight = batch["weight"]
    total: Tensor = (weight * each).sum() / weight.sum() + l2 * penalty
    return total


def validate(model: nn.Module, held: Held) -> dict[str, float]:
    """Recall and NDCG over all songs for the users with something to find."""
    assert isinstance(model, GraphRecommender)
    device = model.song.device
    users, songs, bias = model(held.graph.to(device), held.types.to(device))
    ranked = rank(users, songs, bias, held, VALIDATION_BLOCK)
    return {name: float(values.mean()) for name, values in rank_metrics(ranked).items()}


def to_negatives(sampling: pd.DataFrame, count: int) -> Negatives:
    """The negatives that the weight stage asks for."""
    return Negatives(sampling["probability"].to_numpy(dtype=np.float64), count)
