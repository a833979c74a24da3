"""The generator's training task: the model, the batches, the loss and the validation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from winnow.domains.climb import definitions
from winnow.domains.climb.model.artifacts import Artifacts
from winnow.domains.climb.model.likelihood import token_losses
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.samples import Samples
from winnow.domains.climb.model.sequences import ANY_GRADE, START, Sequences, encode, known_holds
from winnow.domains.climb.params import Common, Train
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders, OrderedLoader, TensorLoader
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.task import Task
from winnow.pipeline.errors import TableError

VALIDATION_BATCH = 256
"""Routes at a time without gradients; the result does not depend on it beyond the last bits."""


@dataclass(frozen=True)
class GeneratorTask(Task):
    """A training of the generator, with what it needs to know of the stages before."""

    example = "generate --grade 6C+"

    routes: pd.DataFrame
    """`Labels` with the columns split and weight (NaN outside the training split)"""
    tokens: pd.DataFrame
    """`Tokens`"""
    common: Common
    params: Train
    artifacts: Artifacts

    @cached_property
    def train(self) -> Sequences:
        """All training routes, whatever the subset."""
        return encode(self.routes[self.routes["split"] == "train"], self.tokens)

    def build(self) -> RouteTransformer:
        """A new network; the holds of each wall are those of all training routes."""
        network = self.params.network
        model = RouteTransformer(
            width=network.width,
            layers=network.layers,
            heads=network.heads,
            dropout=network.dropout,
            max_holds=self.common.max_holds,
            reaches=network.reaches,
            members=network.members,
        )
        model.known.copy_(torch.from_numpy(known_holds(self.train)))
        return model

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        """The training and validation routes of a subset (`full`, …); raises TableError without any."""
        chosen, weighted = self.routes[self.routes[f"in_{subset}"]], self.params.weighted
        train, val = (chosen[chosen["split"] == split].reset_index(drop=True) for split in ("train", "val"))
        for split, rows in (("training", train), ("validation", val)):
            if rows.empty:
                raise TableError(f"the subset `{subset}` has no {split} route", fix="choose another, or use more data")
        weights = train["weight"].to_numpy(dtype=np.float64) if weighted else None
        table = {
            f"quality {name}": (float(part["weight"].mean()) if weighted else 1.0, len(part))
            for name, part in train.groupby("quality")
        }
        return Loaders(
            train=TensorLoader(_tensors(train, self.tokens), EpochSampler(len(train), share, weights)),
            val=OrderedLoader(_tensors(val, self.tokens), VALIDATION_BATCH),
            rows={"train": len(train), "val": len(val)},
            weights=table,
        )

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Negative log-likelihood of the batch's tokens in nats; the grade of a share of the routes is hidden.

        So the network also learns what holds for any grade, which generation with guidance needs. Each member of an
        ensemble learns from the whole batch, with other grades hidden.
        """
        members = self.params.network.members
        tokens, conditions = without_filling(batch["tokens"]).repeat(members, 1), batch["conditions"].repeat(members, 1)
        hidden = torch.rand(len(conditions), device=conditions.device) < self.params.grade_dropout
        board, angle, grade = conditions.unbind(dim=1)
        conditions = torch.stack([board, angle, grade.masked_fill(hidden, ANY_GRADE)], dim=1)
        return Loss(token_losses(model, tokens, conditions).sum(), (tokens != START).sum())

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        """Of each validation route: its negative log-likelihood in nats, its tokens, and the groups it belongs to.

        With `eval_samples`, also routes generated for the conditions of the first of them.
        """
        for batch in batches:
            losses = token_losses(model, batch["tokens"], batch["conditions"])
            rows = {
                "nll": losses.double().sum(dim=1),
                "tokens": (batch["tokens"] != START).sum(dim=1),
                "grade": batch["conditions"][:, 2],
                "quality": batch["quality"],
            }
            yield rows | (self.samples.generate(model, batch) if self.samples else {})

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss (nats per token) and perplexity of the validation routes; the loss by grade and by quality bin."""
        losses, counts = rows["nll"], rows["tokens"]
        loss = float(losses.sum() / counts.sum())
        return {
            "loss": loss,
            "perplexity": float(np.exp(loss)),
            **_by_group("loss_by_grade", definitions.GRADES, rows["grade"], losses, counts),
            **_by_group("loss_by_quality", definitions.QUALITY_BINS, rows["quality"], losses, counts),
            **(self.samples.metrics(rows) if self.samples else {}),
        }

    @cached_property
    def samples(self) -> Samples | None:
        """The routes that are generated after every validation, if any."""
        count = self.params.eval_samples
        return Samples(self.artifacts.settings, self.train, count) if count else None

    def save_extras(self, folder: Path) -> None:
        """The settings, limits and routes that generating reads."""
        self.artifacts.write(folder)


def without_filling(tokens: Tensor) -> Tensor:
    """(batch, positions) cut to the longest route of the batch, which makes a step on a CPU a quarter faster.

    A GPU would have to wait until the length is known, and keeps the filling.
    """
    return tokens[:, : int((tokens != START).sum(dim=1).max())] if tokens.device.type == "cpu" else tokens


def _tensors(routes: pd.DataFrame, tokens: pd.DataFrame) -> dict[str, Tensor]:
    sequences = encode(routes, tokens)
    order = {name: index for index, name in enumerate(definitions.QUALITY_BINS)}
    quality = np.array(routes["quality"].map(order), dtype=np.int64)
    return {
        "ids": torch.arange(len(routes)),
        "tokens": torch.from_numpy(sequences.tokens),
        "conditions": torch.from_numpy(sequences.conditions),
        "quality": torch.from_numpy(quality),
    }


def _by_group(name: str, groups: tuple[str, ...], of: Tensor, losses: Tensor, counts: Tensor) -> dict[str, float]:
    """Loss per token of every group that has a route."""
    total = torch.zeros(len(groups), dtype=losses.dtype).index_add(0, of, losses)
    tokens = torch.zeros(len(groups), dtype=losses.dtype).index_add(0, of, counts.to(losses.dtype))
    return {f"{name}/{group}": float(total[i] / tokens[i]) for i, group in enumerate(groups) if tokens[i]}
