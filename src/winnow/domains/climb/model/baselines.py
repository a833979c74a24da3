"""N-gram models of routes on the network's own tokens: uniform, unigram, and the best-interpolated bigram.

They get every advantage that the network has: they know the board, hold probability back from tokens that cannot follow
(lower cells), learn from the same training routes, and their interpolation weights are fitted on the validation routes.
Interpolation: Jelinek and Mercer 1980, the weights fitted by expectation maximisation, one set per bin of how often the
board's training routes showed the context.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.model.sequences import BOARDS, END, START, VOCABULARY, Sequences, previous

Name = Literal["uniform", "unigram", "bigram"]
NAMES: tuple[Name, ...] = ("uniform", "unigram", "bigram")

CONTEXT_BINS = (3, 10, 30, 100, 300, 1000)
"""Contexts seen alike often share their interpolation weights."""

EM_STEPS = 100
LEAST_WEIGHT = 1e-4
"""No part is switched off, so that no test token is impossible."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NGram:
    """A mixture of conditional distributions."""

    parts: Floats
    """(parts, boards, contexts, VOCABULARY) probabilities of the next token; all 0 where a part knows nothing"""
    bins: NDArray[np.int64]
    """(boards, contexts): which weights a context uses"""
    weights: Floats
    """(bins, parts), each row summing to 1"""

    def route_nll(self, sequences: Sequences) -> Floats:
        """Negative log-likelihood in nats of each route, holds and end together, (routes,)."""
        boards, before, tokens, routes = _flat(sequences)
        mixed = (self.parts[:, boards, before, tokens].T * self.weights[self.bins[boards, before]]).sum(axis=1)
        return np.bincount(routes, weights=-np.log(mixed), minlength=len(sequences.tokens)).astype(np.float64)


def fit(name: Name, train: Sequences, val: Sequences) -> NGram:
    """The n-gram model of a name, counted on `train` and interpolated on `val`."""
    boards, before, tokens, _ = _flat(train)
    pairs = np.zeros((len(BOARDS), START + 1, VOCABULARY))
    np.add.at(pairs, (boards, before, tokens), 1.0)
    single = np.broadcast_to(pairs.sum(axis=1, keepdims=True), pairs.shape)
    possible = _possible()
    everywhere = np.broadcast_to(pairs.sum(axis=0), pairs.shape)
    chosen = {
        "uniform": [possible],
        "unigram": [single * possible, possible],
        "bigram": [pairs, everywhere * possible, single * possible, possible],
    }[name]
    parts = np.stack([_normalised(part) for part in chosen])
    seen = pairs.sum(axis=2) if name == "bigram" else np.zeros(pairs.shape[:2])
    bins = np.digitize(seen, CONTEXT_BINS)
    return NGram(parts, bins, _interpolate(parts, bins, val))


def _interpolate(parts: Floats, bins: NDArray[np.int64], val: Sequences) -> Floats:
    """(bins, parts) weights most likely on `val`; a bin without validation tokens takes those of all tokens."""
    boards, before, tokens, _ = _flat(val)
    given = parts[:, boards, before, tokens].T
    at = bins[boards, before]
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
    """(boards, contexts, VOCABULARY): 1 for what may follow: cells of the board after the last one, and the end."""
    context, token = np.arange(START + 1)[:, None], np.arange(VOCABULARY)[None, :]
    after = np.where(context == START, token != END, token > context)
    rows = np.array([definitions.BOARDS[board].rows for board in BOARDS])
    on_board = (token == END) | (token < rows[:, None] * len(definitions.COLUMNS))
    possible: Floats = (after[None] & on_board[:, None]).astype(np.float64)
    return possible


def _normalised(counts: Floats) -> Floats:
    total = counts.sum(axis=-1, keepdims=True)
    shares: Floats = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
    return shares


def _flat(sequences: Sequences) -> tuple[NDArray[np.int64], ...]:
    """Board, context, token and route of every token to predict, each (tokens,)."""
    routes, positions = np.nonzero(sequences.tokens != START)
    boards = sequences.conditions[routes, 0]
    return boards, previous(sequences.tokens)[routes, positions], sequences.tokens[routes, positions], routes
