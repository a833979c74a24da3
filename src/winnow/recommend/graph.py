"""A bipartite graph of users and items, its edges in compressed sparse rows (CSR) both ways."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Users and items, (pairs,) each: user n belongs to item n."""
Matrix = sparse.csr_matrix
"""(users, items) of 0 and 1"""


@dataclass(frozen=True)
class Graph:
    """Edges user → item, sorted by user, then item; `by_item` sorts the same edges by item."""

    users: int
    items: int
    indptr: Tensor
    """(users + 1,): where each user's edges begin"""
    item: Tensor
    """(edges,)"""
    user: Tensor
    """(edges,)"""
    item_indptr: Tensor
    """(items + 1,): where each item's edges begin in the order of items"""
    by_item: Tensor
    """(edges,): numbers of the edges in the order of items"""
    user_by_item: Tensor
    """(edges,): the users in that order"""
    popularity: Tensor
    """(items,): users of each item; for users folded in later that of the training graph, which they do not change"""
    inv_sqrt_degree: Tensor
    """(items,): 1 / √popularity"""

    @property
    def shape(self) -> tuple[int, int]:
        return self.users, self.items

    def items_of(self, user: int) -> Tensor:
        """The items of a user, sorted."""
        return self.item[int(self.indptr[user]) : int(self.indptr[user + 1])]

    def to(self, device: torch.device) -> "Graph":
        """The same graph on a device; itself when it is there."""
        if self.item.device == device:
            return self
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Graph(users=self.users, items=self.items, **moved)


def build_graph(pairs: Pairs, shape: tuple[int, int], popularity: Tensor | None = None) -> Graph:
    """The graph of distinct pairs, `shape` (users, items). `popularity` (items,) replaces the graph's own counts."""
    users, items = pairs
    order = np.lexsort((items, users))
    user, item = users[order], items[order]
    by_item = np.argsort(item, kind="stable")
    degree = np.bincount(user, minlength=shape[0])
    own = np.bincount(item, minlength=shape[1])
    counts = own if popularity is None else popularity.cpu().numpy()
    return Graph(
        users=shape[0],
        items=shape[1],
        indptr=torch.from_numpy(np.append(0, np.cumsum(degree))),
        item=torch.from_numpy(item.astype(np.int64)),
        user=torch.from_numpy(user.astype(np.int64)),
        item_indptr=torch.from_numpy(np.append(0, np.cumsum(own))),
        by_item=torch.from_numpy(by_item),
        user_by_item=torch.from_numpy(user[by_item].astype(np.int64)),
        popularity=torch.from_numpy(counts.astype(np.int64)),
        inv_sqrt_degree=torch.from_numpy((np.maximum(counts, 1) ** -0.5).astype(np.float32)),
    )


def fold_in(pairs: Pairs, users: int, training: Graph) -> Graph:
    """The graph of `users` new users over the items of the training graph, whose popularity stays as it was."""
    return build_graph(pairs, (users, training.items), training.popularity)


def matrix_of(graph: Graph) -> Matrix:
    """The graph as a matrix (users, items) of 0 and 1."""
    ones = np.ones(len(graph.item), dtype=np.float32)
    return sparse.csr_matrix((ones, graph.item.cpu().numpy(), graph.indptr.cpu().numpy()), shape=graph.shape)
