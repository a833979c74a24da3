"""A small graph that the tests of recommenders share."""

import numpy as np

from winnow.recommend.graph import Graph, Pairs, build_graph

USERS, ITEMS = 30, 40


def pairs(seed: int = 0, share: float = 0.3) -> Pairs:
    """Random (users, items); every user has the items 0 and 1."""
    known = np.random.default_rng(seed).random((USERS, ITEMS)) < share
    known[:, :2] = True
    users, items = np.nonzero(known)
    return users, items


def graph(seed: int = 0) -> Graph:
    return build_graph(pairs(seed), (USERS, ITEMS))
