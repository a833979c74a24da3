"""Perplexity of the network and of the n-gram models on real routes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.model.sequences import Integers, Sequences
from winnow.judge.intervals import Statistic, difference, ratio, transformed
from winnow.judge.slices import Metric, slice_metrics
from winnow.measure.likelihood import perplexity, token_nll

SUBSETS = {"": "in_full", "quality_": "in_quality"}
"""Test sets by the prefix of their metrics."""


def predictions(
    labels: pd.DataFrame, sequences: Sequences, nll: Mapping[str, NDArray[np.float64]], judged: Integers
) -> pd.DataFrame:
    """The `Predictions` table of routes in a `Labels` table and in `sequences` alike.

    `nll` has what goes into the columns nll, nll_uniform, …, each (routes,); `judged` is (routes,) grade indices.
    """
    columns = ["route_id", "hold_set", "board", "angle", "grade", "quality", "in_full", "in_quality"]
    grades = pd.Series(np.array(definitions.GRADES)[judged], index=labels.index, dtype="str")
    return labels[columns].assign(tokens=sequences.lengths, **dict(sorted(nll.items())), judged_grade=grades)


def perplexity_metrics(routes: pd.DataFrame, nll: str = "nll") -> dict[str, float]:
    """Loss per token in nats and perplexity of `Predictions`, by the model whose column `nll` is, on every test set."""
    return {
        name: value
        for prefix, chosen in SUBSETS.items()
        for part in [routes[routes[chosen]]]
        if len(part)
        for name, value in {
            f"{prefix}token_loss": token_nll(part[nll], part["tokens"]),
            f"{prefix}perplexity": perplexity(part[nll], part["tokens"]),
        }.items()
    }


def perplexity_reduction(routes: pd.DataFrame) -> float:
    """How much lower the perplexity is than that of the bigram that knows the grade, as a share of it."""
    tokens = routes["tokens"]
    return 1 - perplexity(routes["nll"], tokens) / perplexity(routes["nll_grade_bigram"], tokens)


def perplexity_statistics(routes: pd.DataFrame, nll: str = "nll") -> dict[str, Statistic]:
    """What `perplexity_metrics` measures, for `judge.intervals`."""
    statistics: dict[str, Statistic] = {}
    for prefix, chosen in SUBSETS.items():
        if routes[chosen].any():
            loss = ratio(routes[nll] * routes[chosen], routes["tokens"] * routes[chosen])
            statistics |= {f"{prefix}token_loss": loss, f"{prefix}perplexity": transformed(np.exp, loss)}
    return statistics


def reduction_statistic(routes: pd.DataFrame) -> Statistic:
    """`perplexity_reduction`, a paired comparison, for `judge.intervals`."""
    tokens = routes["tokens"]
    apart = difference(ratio(routes["nll"], tokens), ratio(routes["nll_grade_bigram"], tokens))
    return transformed(lambda nats: 1 - np.exp(nats), apart)


def slice_perplexity(routes: pd.DataFrame) -> pd.DataFrame:
    """The `Slices` of `Predictions`: perplexity by grade, quality bin, board and angle, with `grade_bigram`'s."""
    metrics: dict[str, Metric] = {
        "perplexity": lambda part: perplexity(part["nll"], part["tokens"]),
        "bigram_perplexity": lambda part: perplexity(part["nll_grade_bigram"], part["tokens"]),
    }
    return slice_metrics(routes, ["grade", "quality", "board", "angle"], metrics)
