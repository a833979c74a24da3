"""
Reasons of recommendations, and a check that they are faithful to the model.

The effect of a reason is by how much the score of the recommended item falls without it. An explainer may compute it
by a shortcut; the check removes reasons from the model's input one at a time and computes the score again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

from winnow.pipeline.console import doing
from winnow.recommend.graph import Graph, fold_in


@dataclass(frozen=True)
class Reason:
    kind: str
    """what the reason is, such as `item`"""
    index: int
    """its number among those of its kind"""
    effect: float
    """by how much the score falls without it"""


class Explainer(Protocol):
    """A trained model over a graph."""

    def score(self, user: int, item: int) -> float:
        """The model's score of the item for the user."""

    def reasons(self, user: int, item: int) -> list[Reason]:
        """All reasons for recommending the item to the user, in the order of `sort_reasons`."""

    def score_without(self, user: int, item: int, reason: Reason) -> float:
        """The model's score of the item for the user, computed again without the reason."""


def sort_reasons(reasons: list[Reason]) -> list[Reason]:
    """The reasons, the one with the largest effect first."""
    return sorted(reasons, key=lambda reason: (-reason.effect, reason.kind, reason.index))


def check_first_reasons(
    explainer: Explainer,
    recommended: list[tuple[int, int]],
    rng: np.random.Generator,
    rank: Callable[[int, list[Reason]], list[Reason]] | None = None,
) -> pd.DataFrame:
    """The columns of `Checks`: a row for each recommended (user, item) that has two reasons or more.

    `rank` puts a user's reasons in another order than by their effects, such as one to compare that order with.
    """
    doing("checking explanations")
    checks = []
    for user, item in recommended:
        reasons = explainer.reasons(user, item)
        if rank is not None:
            reasons = rank(user, reasons)
        if len(reasons) < 2:
            continue
        score = explainer.score(user, item)
        first, other = reasons[0], reasons[int(rng.integers(1, len(reasons)))]
        falls = [score - explainer.score_without(user, item, reason) for reason in (first, other)]
        checks.append((user, item, first.kind, *falls))
    kinds = {"user_index": "int64", "item_index": "int64", "kind": "str", "fall": "float64", "other_fall": "float64"}
    return pd.DataFrame(checks, columns=list(kinds)).astype(kinds)


def leave_one_out(graph: Graph, user: int) -> Graph:
    """One copy of the user for each of their items, without that item: (items of the user, items)."""
    own = graph.items_of(user).cpu().numpy()
    count = len(own)
    copies = np.repeat(np.arange(count), max(count - 1, 0))
    others = np.tile(own, (count, 1))[~np.eye(count, dtype=bool)]
    return fold_in((copies, others), count, graph).to(graph.item.device)
