"""Negative log-likelihood and perplexity of a sequence model."""

import numpy as np
from numpy.typing import ArrayLike


def token_nll(nll: ArrayLike, tokens: ArrayLike) -> float:
    """Mean negative log-likelihood per token in nats, from sums per sequence.

    `nll` (rows,) is each sequence's summed negative log-likelihood, `tokens` (rows,) its number of tokens. It is
    the mean over all tokens, not the mean of the sequences' means. Raises ValueError
    without tokens.
    """
    total = float(np.asarray(tokens).sum())
    if total <= 0:
        raise ValueError("there is no token to take a mean over")
    return float(np.asarray(nll).sum()) / total


def perplexity(nll: ArrayLike, tokens: ArrayLike) -> float:
    """The exponential of `token_nll`: the number of equally likely tokens that would be as hard to predict."""
    return float(np.exp(token_nll(nll, tokens)))
