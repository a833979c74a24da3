"""Held-out items: what a recommender is to find for each user, and what it may not recommend to them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from winnow.recommend.graph import Graph, Pairs


@dataclass(frozen=True)
class EvaluationSet:
    """The users that have something to find."""

    graph: Graph
    """of all users: the items by which they are known"""
    users: NDArray[np.int64]
    """(rows,)"""
    hidden: list[NDArray[np.int64]]
    """for each row the items to find, sorted"""
    known: list[NDArray[np.int64]]
    """for each row the items that are never recommended, sorted"""


def evaluation_set(graph: Graph, *, hidden: Pairs, known: Pairs) -> EvaluationSet:
    """The users of the pairs in `hidden`, to be ranked without the pairs in `known`."""
    users = np.unique(hidden[0])
    return EvaluationSet(graph, users, items_by_user(hidden, users), items_by_user(known, users))


def items_by_user(pairs: Pairs, users: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The items of each of the users, sorted."""
    order = np.lexsort((pairs[1], pairs[0]))
    owner, item = pairs[0][order], pairs[1][order]
    starts, ends = np.searchsorted(owner, users), np.searchsorted(owner, users, side="right")
    return [item[start:end] for start, end in zip(starts, ends, strict=True)]
