"""The completer's training task: the model, the batches, the loss and the validation."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, pad

from winnow.domains.playlists import definitions
from winnow.domains.playlists.model.artifacts import Artifacts
from winnow.domains.playlists.model.batches import PlaylistLoader, TrackGraph
from winnow.domains.playlists.model.network import PlaylistGAT, encode_lists
from winnow.domains.playlists.model.sequences import Sequences, sequences_of
from winnow.domains.playlists.model.tensors import build_model
from winnow.domains.playlists.params import Train
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare
from winnow.learn.task import Task
from winnow.measure.ranking import cutoff_metrics
from winnow.recommend.evaluation_set import EvaluationSet, evaluation_set
from winnow.recommend.graph import Pairs, build_graph
from winnow.recommend.losses import bpr_loss, sampled_softmax_loss
from winnow.recommend.validation import UserBlocks, block_hits

VALIDATION_BLOCK, VALIDATION_SCORES = 256, 24_000_000
"""Most playlists that are ranked at a time, and most of their scores; memory only."""


@dataclass(frozen=True)
class TrainingData:
    """The training playlists and the validation tracks."""

    sequences: Sequences
    val: EvaluationSet


def validation_block(tracks: int) -> int:
    """How many playlists are ranked at a time on validation."""
    return max(1, min(VALIDATION_BLOCK, VALIDATION_SCORES // tracks))


def pairs_of(entries: pd.DataFrame) -> Pairs:
    """The columns playlist_index and track_index as arrays."""
    return entries["playlist_index"].to_numpy(dtype=np.int64), entries["track_index"].to_numpy(dtype=np.int64)


def playlists_to_rank(
    splits: pd.DataFrame, shape: tuple[int, int], split: str, known: Collection[str], most: int
) -> EvaluationSet:
    """The tracks of a split to find in playlists known by the tracks of the splits `known`; at most `most` of them."""
    hidden, given = splits[splits["split"] == split], splits[splits["split"].isin(list(known))]
    playlists = hidden["playlist_index"].unique()
    chosen = hidden[hidden["playlist_index"].isin(playlists[:: -(-len(playlists) // most)])]
    return evaluation_set(build_graph(pairs_of(given), shape), hidden=pairs_of(chosen), known=pairs_of(given))


def training_data(splits: pd.DataFrame, shape: tuple[int, int], params: Train) -> TrainingData:
    """From `Splits`; `shape` is (playlists, tracks)."""
    train = splits[splits["split"] == "train"]
    return TrainingData(
        sequences_of(train, *shape), playlists_to_rank(splits, shape, "val", ["train"], params.validation_playlists)
    )


class PlaylistBlocks(UserBlocks):
    """Validation playlists, with their last tracks, given (playlists, history), -1 where there are fewer."""

    def __init__(self, held: EvaluationSet, block: int, sequences: Sequences, history: int) -> None:
        super().__init__(held, block)
        self.sequences, self.history = sequences, history

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        batch = super().__getitem__(index)
        return batch | {"given": torch.from_numpy(self.sequences.last(batch["ids"].numpy(), self.history))}


@dataclass(frozen=True)
class CompleterTask(Task):
    """A training of PlaylistGAT, with what it needs to know of the stages before."""

    example = "complete --tracks 'ARTIST – TITLE; ARTIST – TITLE'"

    data: TrainingData
    graph: TrackGraph
    genre_edges: pd.DataFrame
    """`GenreEdges`"""
    artists: int
    sampling: pd.DataFrame
    """`Sampling`"""
    params: Train
    artifacts: Artifacts

    def build(self) -> PlaylistGAT:
        """A new network over the graph."""
        return build_model(self.params.network, self.graph, self.genre_edges, self.artists)

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        """Batches of training playlists, and the validation playlists."""
        del subset  # there is one
        data, params = self.data, self.params
        train = PlaylistLoader(
            data.sequences,
            self.graph,
            self.sampling["probability"].to_numpy(),
            share,
            loss=params.loss,
            negatives=params.negatives,
            targets=params.targets,
            min_context_share=params.min_context_share,
            history=params.network.history,
        )
        val = PlaylistBlocks(data.val, validation_block(len(self.graph.artist)), data.sequences, params.network.history)
        rows = {"train": len(train.active), "val": len(data.val.users)}
        return Loaders(train=train, val=val, rows=rows)

    def loss(self, model: nn.Module, batch: Mapping[str, Any]) -> Loss:
        """Loss of the tracks to find, each counted once."""
        playlists, targets, negatives = model(batch)
        playlists = playlists / self.params.network.temperature
        positive = (playlists[batch["target_list"]] * targets).sum(dim=1)
        if self.params.loss == "bpr":
            each = bpr_loss(positive, (playlists[batch["target_list"]] * negatives).sum(dim=1))
        else:
            scores = playlists @ negatives.T
            each = sampled_softmax_loss(positive, batch["target_list"], scores, batch["log_prob"], batch["known"])
        return Loss(each.sum(), float(len(positive)))

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Tensor]]:
        """For each block of validation playlists: which places of their lists are hits, and how many to find."""
        assert isinstance(model, PlaylistGAT)
        _, vectors = model.all_tracks()
        transposed, bias = normalize(vectors, dim=1).T.contiguous(), model.track_bias()
        for batch in batches:
            scores = torch.addmm(bias, encode_lists(model, vectors, batch["given"]), transposed)
            found = block_hits(scores, batch, places=max(definitions.CUTOFFS))
            yield found | {"hits": pad(found["hits"], (0, max(definitions.CUTOFFS) - found["hits"].shape[1]))}

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        """Recall and NDCG of the validation playlists over all their held-out tracks, all tracks ranked."""
        found = cutoff_metrics(rows["hits"].numpy(), rows["relevant"].numpy(), definitions.CUTOFFS)
        return {name: float(values.mean()) for name, values in found.items()}

    def state_dict_keys(self, model: nn.Module) -> Collection[str]:
        """The parameters: the graph in the network's buffers is made of tables."""
        return [name for name, _ in model.named_parameters()]

    def save_extras(self, folder: Path) -> None:
        """The names and playlists that completing reads."""
        self.artifacts.write(folder)
