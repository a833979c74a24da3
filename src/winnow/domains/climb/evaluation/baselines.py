"""N-gram models of routes on the network's own tokens: uniform, unigram, and two interpolated bigrams.

They know the board, give no probability to tokens that cannot follow (lower cells), learn from the same training
routes, and their interpolation weights are fitted on the validation routes. `grade_bigram` also knows the grade, as the
network does: it is what the network has to be compared with.

Interpolation: Jelinek and Mercer 1980, the weights fitted by expectation maximisation, one set per bin of how often the
training routes of the board (and grade) showed the context.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.model.sequences import BOARDS, END, START, VOCABULARY, Sequences, previous

Name = Literal["uniform", "unigram", "bigram", "grade_bigram"]
NAMES: tuple[Name, ...] = ("uniform", "unigram", "bigram", "grade_bigram")

GRADES = len(definitions.GRADES) + 1
"""The grades, and none."""
SHAPE = (len(BOARDS), GRADES, START + 1, VOCABULARY)
"""Boards, grades, contexts, tokens; an axis that a part does not depend on has length 1."""

CONTEXT_BINS = (3, 10, 30, 100, 300, 1000)
"""Contexts seen alike often share their interpolation weights."""

EM_STEPS = 100
LEAST_WEIGHT = 1e-4
"""No part is switched off, so that no test token is impossible."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NGram:
    """A mixture of conditional distributions."""

    parts: tuple[Floats, ...]
    """probabilities of the next token, each broadcastable to `SHAPE`; all 0 where a part knows nothing"""
    bins: NDArray[np.int64]
    """(boards, grades, contexts): which weights a context uses"""
    weights: Floats
    """(bins, parts), each row summing to 1"""

    def route_nll(self, sequences: Sequences) -> Floats:
        """Negative log-likelihood in nats of each route, holds and end together, (routes,)."""
        boards, grades, before, tokens, routes = _flat(sequences)
        given = _given(self.parts, boards, grades, before, tokens)
        mixed = (given * self.weights[self.bins[boards, grades, before]]).sum(axis=1)
        return np.bincount(routes, weights=-np.log(mixed), minlength=len(sequences.tokens)).astype(np.float64)


def fit(name: Name, train: Sequences, val: Sequences) -> NGram:
    """The n-gram model of a name, counted on `train` and interpolated on `val`."""
    boards, grades, before, tokens, _ = _flat(train)
    graded_pairs = np.zeros(SHAPE)
    np.add.at(graded_pairs, (boards, grades, before, tokens), 1.0)
    pairs = graded_pairs.sum(axis=1, keepdims=True)
    everywhere = pairs.sum(axis=0, keepdims=True)
    single = pairs.sum(axis=2, keepdims=True)
    graded_single = graded_pairs.sum(axis=2, keepdims=True)
    possible = _possible()
    bigram = [pairs, everywhere * possible, single * possible, possible]
    chosen = {
        "uniform": [possible],
        "unigram": [single * possible, possible],
        "bigram": bigram,
        "grade_bigram": [graded_pairs, _with_neighbours(graded_pairs), graded_single * possible, *bigram],
    }[name]
    parts = tuple(_normalised(part) for part in chosen)
    seen = {"bigram": pairs, "grade_bigram": graded_pairs}.get(name, np.zeros((1, 1, 1, 1))).sum(axis=3)
    bins = np.broadcast_to(np.digitize(seen, CONTEXT_BINS), SHAPE[:3])
    return NGram(parts, bins, _interpolate(parts, bins, val))


def _with_neighbours(graded: Floats) -> Floats:
    """Counts by grade, to which the next lower and the next higher grade's count half; (boards, grades, …)."""
    counts = graded.copy()
    counts[:, 1:] += graded[:, :-1] / 2
    counts[:, :-1] += graded[:, 1:] / 2
    return counts


def _given(parts: tuple[Floats, ...], *places: NDArray[np.int64]) -> Floats:
    """(tokens, parts): the probability that each part gives to the tokens at these places of `SHAPE`."""
    return np.stack([np.broadcast_to(part, SHAPE)[places] for part in parts], axis=1)


def _interpolate(parts: tuple[Floats, ...], bins: NDArray[np.int64], val: Sequences) -> Floats:
    """(bins, parts) weights most likely on `val`; a bin without validation tokens takes those of all tokens."""
    boards, grades, before, tokens, _ = _flat(val)
    given = _given(parts, boards, grades, before, tokens)
    at = bins[boards, grades, before]
    every = _expectation_maximisation(given)
    return np.stack(
        [_expectation_maximisation(given[at == b]) if (at == b).any() else every for b in range(len(CONTEXT_BINS) + 1)]
    )


def _expectation_maximisation(given: Floats) -> Floats:
    """(parts,) mixture weights for (tokens, parts) probabilities."""
    weights: Floats = np.full(given.shape[1], 1 / given.shape[1])
    for _ in range(EM_STEPS):
        shares = given * weights
        shares /= np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        weights = np.maximum(shares.mean(axis=0), LEAST_WEIGHT)
        weights /= weights.sum()
    return weights


def _possible() -> Floats:
    """(boards, 1, contexts, VOCABULARY): 1 for what may follow: cells of the board after the last one, and the end."""
    context, token = np.arange(START + 1)[:, None], np.arange(VOCABULARY)[None, :]
    after = np.where(context == START, token != END, token > context)
    rows = np.array([definitions.BOARDS[board].rows for board in BOARDS])
    on_board = (token == END) | (token < rows[:, None] * len(definitions.COLUMNS))
    possible: Floats = (after & on_board[:, None])[:, None].astype(np.float64)
    return possible


def _normalised(counts: Floats) -> Floats:
    total = counts.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    return shares


def _flat(sequences: Sequences) -> tuple[NDArray[np.int64], ...]:
    """Board, grade, context, token and route of every token to predict, each (tokens,)."""
    routes, positions = np.nonzero(sequences.tokens != START)
    boards, grades = sequences.conditions[routes, 0], sequences.conditions[routes, 2]
    return boards, grades, previous(sequences.tokens)[routes, positions], sequences.tokens[routes, positions], routes
