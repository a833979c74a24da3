"""The metrics of climbing: their names, and how they are computed from the tables that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.definitions import GRADES, QUALITY_BINS
from winnow.judge.intervals import Statistic, difference, mean, on_rows, ratio, transformed
from winnow.judge.paired import Compared

VALIDATION_METRICS = (
    "loss",
    "perplexity",
    *(f"loss_by_grade/{grade}" for grade in GRADES),
    *(f"loss_by_quality/{quality}" for quality in QUALITY_BINS),
    "sample/unconstrained_validity_score",
    "sample/novelty_score",
    "sample/grade_within_one_accuracy",
)
"""What train measures after each epoch, of groups that have a validation route: names for early stopping."""

GATE_METRICS = (
    "token_loss",
    "perplexity",
    "quality_token_loss",
    "quality_perplexity",
    "perplexity_reduction_score",
    "validity_score",
    "unconstrained_validity_score",
    "novelty_score",
    "train_distance_score",
    "distinct_score",
    "diversity_score",
    "grade_exact_accuracy",
    "grade_within_one_accuracy",
    "grade_agreement_score",
    "usage_divergence",
)
"""What evaluate measures of the model: names for the gate."""

SUBSETS = {"": "in_full", "quality_": "in_quality"}
"""Test sets by the prefix of their metrics."""


def perplexity_statistics(routes: pd.DataFrame, nll: str = "nll") -> dict[str, Statistic]:
    """Loss per token in nats and perplexity of `Predictions`, by the model whose column `nll` is, on every test set."""
    statistics: dict[str, Statistic] = {}
    for prefix, chosen in SUBSETS.items():
        if routes[chosen].any():
            loss = ratio(routes[nll] * routes[chosen], routes["tokens"] * routes[chosen])
            statistics |= {f"{prefix}token_loss": loss, f"{prefix}perplexity": transformed(np.exp, loss)}
    return statistics


def model_statistics(routes: pd.DataFrame) -> dict[str, Statistic]:
    """Those of the network, and how much lower its perplexity is than that of the bigram that knows the grade."""
    tokens = routes["tokens"]
    apart = difference(ratio(routes["nll"], tokens), ratio(routes["nll_grade_bigram"], tokens))
    reduction = transformed(lambda nats: 1 - np.exp(nats), apart)
    return perplexity_statistics(routes) | {"perplexity_reduction_score": reduction}


def route_statistics(judged: pd.DataFrame) -> dict[str, Statistic]:
    """Metrics of `Judged` routes that are means over them; grade accuracies only where every route has a grade.

    Accuracies are weighted to the test routes' mix of grades.
    """
    statistics = {
        "validity_score": mean(judged["broken_rule"].isna()),
        "novelty_score": mean(judged["novel"]),
        "train_distance_score": mean(judged["train_distance"]),
    }
    if judged["grade"].notna().all():
        apart, weight = grades_apart(judged), judged["weight"].to_numpy()
        statistics["grade_exact_accuracy"] = ratio((apart == 0) * weight, weight)
        statistics["grade_within_one_accuracy"] = ratio((apart <= 1) * weight, weight)
    return statistics


def generated_statistics(judged: pd.DataFrame) -> dict[str, Statistic]:
    """Metrics of the generated routes, origin `model`, given with the real test routes, origin `test`."""
    made = (judged["origin"] == "model").to_numpy()
    within = "grade_within_one_accuracy"
    own = {name: on_rows(each, made) for name, each in route_statistics(judged[made]).items()}
    real = on_rows(route_statistics(judged[~made])[within], ~made)
    return {**own, "grade_agreement_score": lambda counts: own[within](counts) / real(counts)}


def grades_apart(judged: pd.DataFrame) -> NDArray[np.int64]:
    """(routes,) steps on the Font scale between the requested grade and the judge's."""
    requested, found = (
        judged[column].map(definitions.GRADE_INDEX).to_numpy(np.int64) for column in ("grade", "judged_grade")
    )
    apart: NDArray[np.int64] = np.abs(requested - found)
    return apart


COMPARED = (
    Compared(
        "evaluate/predictions.parquet",
        key=["route_id"],
        groups="hold_set",
        truth=["tokens", "grade"],
        statistics=model_statistics,
    ),
    Compared(
        "evaluate/judged.parquet",
        key=["origin", "route_id"],
        truth=["board", "angle", "grade"],
        statistics=generated_statistics,
        rows=lambda table: table[table["origin"].isin(["model", "test"])],
        whole="the set of generated and test routes",
    ),
)
"""How two trained models are compared row by row."""
