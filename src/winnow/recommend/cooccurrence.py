"""Which items are often together: shrunk cosines of the items' users, the nearest neighbours of each item.

Everything is computed a block of items at a time and stays sparse: a dense matrix of 200,000 items would take 160 GB.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

BLOCK = 2048
"""Items whose neighbours are held at a time."""
BLOCK_PAIRS = 16_000_000
"""Pairs of places of which `Together` holds the items at a time; memory only."""
PAIRS = 4_000_000
"""Pairs of a list's places that are held before they are summed; memory only."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of each item, as many for all; empty places hold the item -1."""

    item: NDArray[np.int32]
    """(items, neighbours), sorted within a row, the empty places last"""
    together: NDArray[np.float32]
    """(items, neighbours): users that have both"""


def similar_items(
    train: sparse.csr_matrix, *, neighbours: int, shrink: float, asymmetry: float = 0.5, user_exponent: float = 0.0
) -> sparse.csr_matrix:
    """(items, items): each row has the shrunk cosines of its nearest items (and of those equal to the last of them).

    `train` (users, items) of 0 and 1. The cosine's denominator is (users of the row's item) ^ `asymmetry` · (users of
    the other) ^ (1 - `asymmetry`) + `shrink`: .5 is the cosine, and the less the more popular items come first
    (asymmetric cosine, Aiolli 2013). A user of n items counts as (mean / n) ^ `user_exponent` users, where `mean` is
    that of n over the users: 0 takes all alike, and with 1 all pairs of a user together count the same for each.
    """
    rows = []
    if user_exponent:
        lengths = np.diff(train.indptr)
        weights = (lengths.mean(where=lengths > 0) / np.maximum(lengths, 1)) ** (user_exponent / 2)
        train = (sparse.diags(weights.astype(train.dtype)) @ train).tocsr()
    for block in _cosines(train, shrink, asymmetry=asymmetry):
        _keep_nearest(block, neighbours)
        rows.append(block.astype(np.float32))
    return sparse.vstack(rows).tocsr()


def ordered_pairs(
    indptr: NDArray[np.int64],
    item: NDArray[np.int64],
    items: int,
    weight: Callable[[int], float],
    reach: int,
    *,
    firsts: range | None = None,
    seconds: range | None = None,
) -> sparse.csr_matrix:
    """(items, items): row a, column b has Σ weight(distance) over the lists in which b comes after a.

    The lists are `item` (entries,) one after another, which begin at `indptr` (lists + 1,); pairs more than `reach`
    places apart are left out, and with `firsts` or `seconds` those of whose items that one is not in the range.
    """
    lengths = np.diff(indptr)
    begin, end = (np.repeat(each, lengths) for each in (indptr[:-1], indptr[1:]))
    block = firsts if seconds is None else seconds
    places = np.arange(len(item)) if block is None else np.flatnonzero((item >= block.start) & (item < block.stop))
    total: sparse.csr_matrix = _summed([], items)
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    held = 0
    for distance in range(1, min(reach, int(lengths.max(initial=0)) - 1) + 1):
        if seconds is None:
            first = places = places[places + distance < end[places]]
        else:
            places = places[places - distance >= begin[places]]
            first = places - distance
        values = np.full(len(first), weight(distance), dtype=np.float32)
        parts.append((item[first], item[first + distance], values))
        held += len(first)
        if held > PAIRS:
            total, parts, held = total + _summed(parts, items), [], 0
    found: sparse.csr_matrix = (total + _summed(parts, items)).tocsr()
    return found


def _summed(
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]], items: int
) -> sparse.csr_matrix:
    empty = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    rows, columns, values = (np.concatenate(each) for each in zip(empty, *parts, strict=True))
    return sparse.csr_matrix((values, (rows, columns)), shape=(items, items))


class Together:
    """How much items are together, as rows of a symmetrical matrix (items, items), a block of items at a time.

    Of a collection that fits into one block the matrix is kept; of a larger one each block is made anew when asked for.
    """

    def __init__(
        self, indptr: NDArray[np.int64], item: NDArray[np.int64], items: int, make: Callable[[range], sparse.csr_matrix]
    ) -> None:
        """`make` gives the rows of a block; the lists are those of `ordered_pairs`."""
        pairs = np.bincount(item, weights=np.repeat(np.diff(indptr), np.diff(indptr)), minlength=items)
        number = np.cumsum(pairs) // BLOCK_PAIRS
        ends = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), items]
        self.blocks = [range(start, end) for start, end in pairwise(ends)]
        self._make = make
        self._whole: sparse.csr_matrix | None = None

    def __iter__(self) -> Iterator[tuple[range, sparse.csr_matrix]]:
        """Each block of items, and their rows (items of the block, items)."""
        if len(self.blocks) > 1:
            yield from ((block, self._make(block)) for block in self.blocks)
            return
        if self._whole is None:
            self._whole = self._make(self.blocks[0])
        yield self.blocks[0], self._whole


def common_lists(indptr: NDArray[np.int64], item: NDArray[np.int64], items: int) -> Together:
    """In how many lists two items are; the lists are those of `ordered_pairs`, and have an item once."""
    owner = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    ones = np.ones(len(item), dtype=np.float32)
    of_list = sparse.csr_matrix((ones, (owner, item)), shape=(len(indptr) - 1, items))
    of_item = of_list.T.tocsr()
    return Together(indptr, item, items, lambda block: (of_item[block.start : block.stop] @ of_list).tocsr())


def near_pairs(indptr: NDArray[np.int64], item: NDArray[np.int64], items: int, distance: float) -> Together:
    """Σ exp(-(places apart - 1) / distance) over the lists that have both; they are those of `ordered_pairs`."""
    longest = int(np.diff(indptr).max(initial=1))

    def make(block: range) -> sparse.csr_matrix:
        def pairs(**of: range) -> sparse.csr_matrix:
            return ordered_pairs(
                indptr, item, items, lambda apart: float(np.exp(-(apart - 1) / distance)), longest, **of
            )

        if len(block) == items:
            after = pairs()
            both: sparse.csr_matrix = (after + after.T).tocsr()
        else:
            after, before = pairs(firsts=block), pairs(seconds=block).T.tocsr()
            both = (after[block.start : block.stop] + before[block.start : block.stop]).tocsr()
        return both

    return Together(indptr, item, items, make)


class SimilarItems:
    """The nearest items of each for several settings, from how much items are `together` and their users (items,).

    A shrink's cosines are computed once for all numbers of neighbours, of which `most` is the largest.
    """

    def __init__(self, together: Together, users: NDArray[np.number], most: int) -> None:
        self.together, self.users, self.most = together, np.sqrt(users.astype(np.float64)), most
        self._last: tuple[float, sparse.csr_matrix] | None = None

    def __call__(self, neighbours: int, shrink: float) -> sparse.csr_matrix:
        """(items, items): column t has the shrunk cosines of the items nearest to t, as `known @ …` takes them."""
        if self._last is None or self._last[0] != shrink:
            self._last = shrink, sparse.vstack([self._nearest(*each, shrink) for each in self.together]).tocsr()
        nearest = self._last[1].copy()
        _keep_nearest(nearest, neighbours)
        return nearest.astype(np.float32).T.tocsr()

    def _nearest(self, block: range, together: sparse.csr_matrix, shrink: float) -> sparse.csr_matrix:
        """The rows of a block of items with the `most` nearest of each."""
        found = together.astype(np.float64)
        row = np.repeat(np.arange(block.start, block.stop), np.diff(found.indptr))
        found.data /= self.users[row] * self.users[found.indices] + shrink + 1e-9
        found.data[row == found.indices] = 0
        found.eliminate_zeros()
        _keep_nearest(found, self.most)
        return found


def nearest_neighbours(
    train: sparse.csr_matrix, *, neighbours: int, shrink: float, candidates: NDArray[np.bool_] | None = None
) -> Neighbours:
    """The nearest of the `candidates` (items,) by shrunk cosine; of equal ones those with the lower number."""
    items = train.shape[1]
    item = np.full((items, neighbours), -1, dtype=np.int32)
    together = np.zeros((items, neighbours), dtype=np.float32)
    counts = np.asarray(train.sum(axis=0)).ravel()
    start = 0
    for block in _cosines(train, shrink, candidates):
        _keep_nearest(block, neighbours, ties=False)
        block.sort_indices()
        row = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
        place = np.arange(block.nnz) - block.indptr[row]
        item[start + row, place] = block.indices
        both = block.data * (np.sqrt(counts[start + row] * counts[block.indices]) + shrink)
        together[start + row, place] = np.rint(both)
        start += block.shape[0]
    return Neighbours(item, together)


def _cosines(
    train: sparse.csr_matrix, shrink: float, candidates: NDArray[np.bool_] | None = None, asymmetry: float = 0.5
) -> Iterator[sparse.csr_matrix]:
    """Blocks of rows of the items' shrunk cosines, without each item's own."""
    squares = np.asarray(train.multiply(train).sum(axis=0)).ravel()
    of_row, of_other = squares**asymmetry, squares ** (1 - asymmetry)
    transposed = train.T.tocsr()
    others = train if candidates is None else train @ sparse.diags(candidates.astype(train.dtype)).tocsr()
    for start in range(0, train.shape[1], BLOCK):
        block = (transposed[start : start + BLOCK] @ others).tocsr()
        row = np.repeat(np.arange(start, start + block.shape[0]), np.diff(block.indptr))
        block.data /= of_row[row] * of_other[block.indices] + shrink + 1e-9
        block.data[row == block.indices] = 0
        block.eliminate_zeros()
        yield block


def _keep_nearest(block: sparse.csr_matrix, neighbours: int, *, ties: bool = True) -> None:
    """Drop all but the largest values of each row; with `ties` those equal to the last of them stay too."""
    values = block.data
    for start, end in zip(block.indptr[:-1], block.indptr[1:], strict=True):
        if end - start > neighbours:
            own = values[start:end]
            least = np.partition(own, -neighbours)[-neighbours]
            if ties:
                own[own < least] = 0
            else:
                equal = np.flatnonzero(own == least)
                room = neighbours - np.count_nonzero(own > least)
                own[own < least] = 0
                own[equal[np.argsort(block.indices[start:end][equal])[room:]]] = 0
    block.eliminate_zeros()


def edge_weights(
    together: NDArray[np.float32], of_item: NDArray[np.float32], of_neighbour: NDArray[np.float32], shrink: float
) -> NDArray[np.float32]:
    """The shrunk cosines of items and their neighbours, scaled to a sum of 1 for each item, (rows, neighbours).

    `together` (rows, neighbours), `of_item` (rows, 1) and `of_neighbour` (rows, neighbours) are numbers of users; a
    neighbour without a common user weighs 0, and an item without any neighbour has weights of 0.
    """
    cosine = together / (np.sqrt(np.maximum(of_item * of_neighbour, 0)) + np.float32(shrink + 1e-9))
    cosine = np.where(together > 0, cosine, np.float32(0))
    total = cosine.sum(axis=1, keepdims=True)
    weights: NDArray[np.float32] = (cosine / np.where(total > 0, total, 1)).astype(np.float32)
    return weights
