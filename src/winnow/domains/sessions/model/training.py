"""The recommender's training task: the model, the batches, the loss and the validation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.artifacts import Artifacts
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.tensors import build_model, graph_of, pairs_of, type_indices
from winnow.domains.sessions.params import Train
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare
from winnow.learn.task import Task
from winnow.measure.ranking import cutoff_metrics
from winnow.recommend.batches import UserLoader
from winnow.recommend.evaluation_set import EvaluationSet, evaluation_set
from winnow.recommend.graph import Graph
from winnow.recommend.losses import bpr_loss, sampled_softmax_loss
from winnow.recommend.negatives import NegativeSampler
from winnow.recommend.validation import UserBlocks, block_hits

VALIDATION_BLOCK = 512
"""Users ranked at a time; memory only."""


@dataclass(frozen=True)
class TrainingData:
    """The training graph, its interactions' weights, and the validation users."""

    graph: Graph
    types: Tensor
    """(users,): indices of user types"""
    weights: np.ndarray
    """(edges,), in the graph's order"""
    val: EvaluationSet


def training_splits(mode: str) -> list[str]:
    """The splits that a mode learns from."""
    return ["train", "val"] if mode == "simple" else ["train"]


def training_data(types: pd.DataFrame, songs: int, pairs: pd.DataFrame, params: Train) -> TrainingData:
    """
    The graph of `pairs` (`InteractionWeights`), the rows of the mode's splits; `types` are `UserTypes`.

    In mode simple the validation songs were learned from: its validation metrics show whether the network learns, not
    how good it is.
    """
    train = pairs[pairs["split"] == "train"]
    used = pairs[pairs["split"].isin(training_splits(params.mode))].sort_values(["user_index", "song_index"])
    graph, indices = graph_of(used, (len(types), songs)), type_indices(types)
    hidden = pairs[pairs["split"] == "val"]
    users = hidden["user_index"].unique()
    chosen = users[:: -(-len(users) // params.validation_users)]
    held = evaluation_set(graph, hidden=pairs_of(hidden[hidden["user_index"].isin(chosen)]), known=pairs_of(train))
    weights = used["weight"].to_numpy(dtype=np.float32)
    return TrainingData(graph, indices, weights, held)


@dataclass(frozen=True)
class RecommenderTask(Task):
    """A training of the recommender, with what it needs to know of the stages before."""

    example = "recommend --likes 'SONG,SONG'"

    data: TrainingData
    sampling: pd.DataFrame
    """`Sampling`"""
    genres: pd.DataFrame
    """`Genres`"""
    params: Train
    artifacts: Artifacts

    @property
    def constants(self) -> dict[str, Any]:
        """The graph and the users' types."""
        return {"graph": self.data.graph, "types": self.data.types}

    def build(self) -> GraphRecommender:
        """A new network over the training graph."""
        params, listeners = self.params, self.data.graph.popularity.numpy()
        return build_model(params.network, params.model, listeners, self.genres, training_splits(params.mode))

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        """Batches of users of the training graph, and the validation users."""
        del subset  # there is one
        data, params = self.data, self.params
        train = UserLoader(
            data.graph,
            data.weights,
            NegativeSampler(self.sampling["probability"].to_numpy(dtype=np.float64), data.graph),
            share,
            shared_negatives=params.negatives,
            hidden_share=params.hidden_share,
        )
        rows = {"train": len(data.weights), "val": sum(map(len, data.val.hidden))}
        return Loaders(train=train, val=UserBlocks(data.val, VALIDATION_BLOCK), rows=rows)

    def loss(self, model: nn.Module, batch: Mapping[str, Any]) -> Loss:
        """Loss of the hidden songs of a batch, weighted by their interactions' weights.

        `l2` penalises the squared length of the vectors of each hidden song and of its negatives.
        """
        vectors, songs, bias = model(batch["graph"], batch["types"], batch["keep"])
        users = vectors[batch["ids"]]
        own = songs[batch["item"]]
        positive = (users[batch["row"]] * own).sum(dim=1) + bias[batch["item"]]
        if self.params.loss == "bpr":
            others = songs[batch["negative"]]
            each = bpr_loss(positive, (users[batch["row"]] * others).sum(dim=1) + bias[batch["negative"]])
            negative = others.square().sum(dim=1)
        else:
            others = songs[batch["shared"]]
            candidates = users @ others.T + bias[batch["shared"]]
            each = sampled_softmax_loss(positive, batch["row"], candidates, batch["log_prob"], batch["known"])
            negative = others.square().sum(dim=1).mean()
        penalty = own.square().sum(dim=1) + negative
        weight = batch["weight"]
        return Loss((weight * (each + self.params.l2 * penalty)).sum(), weight.sum())

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Tensor]]:
        """For each block of validation users: which places of their lists are hits, and how many to find."""
        vectors: tuple[Tensor, Tensor, Tensor] | None = None
        for batch in batches:
            if vectors is None:
                users, songs, bias = model(batch["graph"], batch["types"])
                vectors = users, songs.T.contiguous(), bias
            users, transposed, bias = vectors
            scores = torch.addmm(bias, users[batch["ids"]], transposed)
            yield block_hits(scores, batch, places=max(definitions.CUTOFFS))

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        """Recall and NDCG of the validation users, all songs ranked."""
        found = cutoff_metrics(rows["hits"].numpy(), rows["relevant"].numpy(), definitions.CUTOFFS)
        return {name: float(values.mean()) for name, values in found.items()}

    def save_extras(self, folder: Path) -> None:
        """The names, graph and rules that recommending reads."""
        self.artifacts.write(folder)
