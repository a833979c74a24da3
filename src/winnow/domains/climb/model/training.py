"""What climbing passes to the training loop: the model, the batches, the loss and the validation."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from winnow.domains.climb import definitions
from winnow.domains.climb.model.likelihood import token_losses
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import ANY_GRADE, START, Sequences, encode, known_holds
from winnow.domains.climb.params import Network
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders, OrderedLoader, TensorLoader
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.pipeline.errors import TableError

VALIDATION_BATCH = 256
"""Routes at a time without gradients; the result does not depend on it beyond the last bits."""


def build_model(network: Network, max_holds: int, train: Sequences) -> RouteTransformer:
    """A new network; the holds of each wall are those of all training routes."""
    model = RouteTransformer(
        width=network.width, layers=network.layers, heads=network.heads, dropout=network.dropout, max_holds=max_holds
    )
    model.known.copy_(torch.from_numpy(known_holds(train)))
    return model


def make_loaders(
    routes: pd.DataFrame, tokens: pd.DataFrame, subset: str, share: BatchShare, *, weighted: bool
) -> Loaders:
    """The training and validation routes of a subset (`full`, `quality`, `benchmark`).

    `routes` is `Labels` with the columns split and weight (NaN where the split is not train). Raises TableError when
    the subset has no training or no validation route.
    """
    chosen = routes[routes[f"in_{subset}"]]
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
        train=TensorLoader(_tensors(train, tokens), EpochSampler(len(train), share, weights)),
        val=OrderedLoader(_tensors(val, tokens), VALIDATION_BATCH),
        rows={"train": len(train), "val": len(val)},
        weights=table,
    )


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


def batch_loss(model: nn.Module, batch: Mapping[str, Tensor], *, grade_dropout: float) -> Loss:
    """Negative log-likelihood of the batch's tokens in nats; the grade of a share of the routes is hidden.

    So the network also learns what holds for any grade, which generation with guidance needs.
    """
    tokens, conditions = batch["tokens"], batch["conditions"]
    hidden = torch.rand(len(conditions), device=conditions.device) < grade_dropout
    board, angle, grade = conditions.unbind(dim=1)
    conditions = torch.stack([board, angle, grade.masked_fill(hidden, ANY_GRADE)], dim=1)
    return Loss(token_losses(model, tokens, conditions).sum(), (tokens != START).sum())


def predict(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """Of each validation route: its negative log-likelihood in nats, its tokens, and the groups it belongs to."""
    for batch in batches:
        losses = token_losses(model, batch["tokens"], batch["conditions"])
        yield {
            "nll": losses.double().sum(dim=1),
            "tokens": (batch["tokens"] != START).sum(dim=1),
            "grade": batch["conditions"][:, 2],
            "quality": batch["quality"],
        }


def metrics(routes: Mapping[str, Tensor]) -> dict[str, float]:
    """Loss (nats per token) and perplexity of the validation routes; the loss by grade and by quality bin."""
    losses, counts = routes["nll"], routes["tokens"]
    loss = float(losses.sum() / counts.sum())
    return {
        "loss": loss,
        "perplexity": float(np.exp(loss)),
        **_by_group("loss_by_grade", definitions.GRADES, routes["grade"], losses, counts),
        **_by_group("loss_by_quality", definitions.QUALITY_BINS, routes["quality"], losses, counts),
    }


def _by_group(name: str, groups: tuple[str, ...], of: Tensor, losses: Tensor, counts: Tensor) -> dict[str, float]:
    """Loss per token of every group that has a route."""
    total = torch.zeros(len(groups), dtype=losses.dtype).index_add(0, of, losses)
    tokens = torch.zeros(len(groups), dtype=losses.dtype).index_add(0, of, counts.to(losses.dtype))
    return {f"{name}/{group}": float(total[i] / tokens[i]) for i, group in enumerate(groups) if tokens[i]}
