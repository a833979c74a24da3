"""Lists completed by the words of their names. Loads no torch."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from winnow.recommend.spelling import loose, plain

SHRINK = 10.0
"""Lists of average taste that are added to those that have a word."""
FEWEST = 2
"""Lists that have a word, or nothing is known of it."""


def words_of(name: str) -> list[str]:
    """The distinct words of a name, and its emoji, in order."""
    symbols = (each for each in plain(name) if unicodedata.category(each) == "So")
    return list(dict.fromkeys([*loose(name).split(), *symbols]))


@dataclass(frozen=True)
class NameWords:
    """Which items the lists have whose name has a word."""

    words: tuple[str, ...]
    lists: NDArray[np.int64]
    """(words,): training lists whose name has the word"""
    together: sparse.csr_matrix
    """(words, items): of them those that have the item"""
    popularity: NDArray[np.int64]
    """(items,): training lists that have the item"""
    total: int
    """training lists"""

    @cached_property
    def number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def known(self, name: str) -> list[str]:
        """The words of a name that the training lists' names have."""
        return [word for word in words_of(name) if word in self.number]

    def scores(self, names: Sequence[str]) -> NDArray[np.float32]:
        """The share of lists with these words that have each item, (names, items).

        A word's share is shrunk to that among all lists, (c + m·p) / (n + m), and words count by log(lists / n).
        Without a known word it is the share among all lists, p.
        """
        common = (self.popularity / max(self.total, 1)).astype(np.float32)
        found = np.tile(common, (len(names), 1))
        for row, name in enumerate(names):
            own = np.array([self.number[word] for word in self.known(name)], dtype=np.int64)
            if not len(own):
                continue
            weight = np.log(max(self.total, 1) / self.lists[own]) + 1e-3  # a word of all lists tells nothing
            weight /= weight.sum()
            counts = self.lists[own] + SHRINK
            told = self.together[own].multiply((weight / counts)[:, None]).sum(axis=0)
            found[row] = np.asarray(told).ravel() + common * float((weight * SHRINK / counts).sum())
        return found


def fit_words(
    names: Sequence[str], owner: NDArray[np.int64], item: NDArray[np.int64], popularity: NDArray[np.int64]
) -> NameWords:
    """From the names of all lists and the training pairs, list `owner` (pairs,) has `item` (pairs,).

    Names of lists without a training pair tell nothing.
    """
    trained = np.unique(owner).tolist()
    pairs = [(word, number) for number in trained for word in words_of(names[number])]
    counts: dict[str, int] = {}
    for word, _ in pairs:
        counts[word] = counts.get(word, 0) + 1
    words = tuple(sorted(word for word, count in counts.items() if count >= FEWEST))
    place = {word: number for number, word in enumerate(words)}
    inside = [(place[word], number) for word, number in pairs if word in place]
    rows, lists = np.array(inside, dtype=np.int64).reshape(-1, 2).T
    named = sparse.csr_matrix((np.ones(len(rows)), (rows, lists)), shape=(len(words), len(names)))
    held = sparse.csr_matrix((np.ones(len(owner)), (owner, item)), shape=(len(names), len(popularity)))
    together = (named @ held).tocsr().astype(np.float32)
    together.sort_indices()
    return NameWords(
        words, np.array([counts[word] for word in words], dtype=np.int64), together, popularity, len(trained)
    )
