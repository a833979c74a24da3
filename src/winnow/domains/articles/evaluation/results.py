"""From predicted scores to figures: metrics with their bootstrap statistics, and the tables of the report."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.articles.definitions import Scoring, overall_scores, tier_indices
from winnow.judge.intervals import Counts, Interval, Statistic, ratio, transformed
from winnow.measure import classification
from winnow.measure.regression import accuracy_within, mae, pearson_correlation, rmse, spearman_correlation

Floats = NDArray[np.float64]


def statistics(true: Floats, predicted: Floats, scoring: Scoring) -> dict[str, Statistic]:
    """Metrics of `(articles, dimensions)` as functions of how often each article is drawn.

    Correlations are means over the dimensions; one that is undefined counts as 0. Ranks are those of the whole set.
    """
    errors = np.abs(predicted - true)
    classes = len(scoring.tiers)
    tiers = [tier_indices(overall_scores(each, scoring), scoring) for each in (true, predicted)]

    def tier_f1(counts: Counts) -> Floats:
        return classification.macro_f1s(classification.resampled_confusions(tiers[0], tiers[1], classes, counts))

    def of_rows(values: Floats) -> Statistic:
        return ratio(values, np.ones(len(values)))

    ranks = [pd.DataFrame(each).rank().to_numpy() for each in (true, predicted)]
    return {
        "mae": of_rows(errors.mean(axis=1)),
        "rmse": transformed(np.sqrt, of_rows((errors**2).mean(axis=1))),
        "pearson_correlation": _mean_correlation(true, predicted),
        "spearman_correlation": _mean_correlation(ranks[0], ranks[1]),
        "within_one_accuracy": of_rows((errors <= 1).mean(axis=1)),
        "tier_accuracy": of_rows((tiers[0] == tiers[1]).astype(np.float64)),
        "tier_f1": tier_f1,
    }


def _mean_correlation(first: Floats, second: Floats) -> Statistic:
    """Mean over the columns of Pearson's correlation of weighted rows."""

    def statistic(counts: Counts) -> Floats:
        weights = counts / counts.sum(axis=1, keepdims=True)
        means = weights @ first, weights @ second
        both = weights @ (first * second) - means[0] * means[1]
        spread = (weights @ first**2 - means[0] ** 2).clip(min=0) * (weights @ second**2 - means[1] ** 2).clip(min=0)
        root = np.sqrt(spread)
        found = np.divide(both, root, out=np.zeros_like(both), where=root > 1e-12)
        return np.asarray(found.mean(axis=1), dtype=np.float64)

    return statistic


def skill_statistics(true: Floats, predicted: Floats, mean: Floats, names: tuple[str, ...]) -> dict[str, Statistic]:
    """Skill of each dimension, 1 - MAE / MAE of the mean predictor, with their lowest and their mean."""
    own, other = np.abs(predicted - true), np.abs(mean - true)

    def skills(counts: Counts) -> Floats:
        above, below = counts @ own, counts @ other
        return np.asarray(1 - np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))

    def one(index: int) -> Statistic:
        return lambda counts: skills(counts)[:, index]

    return {
        "mean_skill_score": lambda counts: skills(counts).mean(axis=1),
        "lowest_skill_score": lambda counts: skills(counts).min(axis=1),
        **{f"skill/{name}": one(index) for index, name in enumerate(names)},
    }


def overfit_statistic(train_errors: Floats, test_errors: Floats) -> Statistic:
    """How much of the test MAE is not there in training: 1 - train MAE / test MAE, 0 at least, of the rows of both."""
    is_test = np.repeat([0.0, 1.0], [len(train_errors), len(test_errors)])
    errors = np.concatenate([train_errors, test_errors])
    train, test = ratio(errors * (1 - is_test), 1 - is_test), ratio(errors * is_test, is_test)
    return lambda counts: np.maximum(1 - train(counts) / test(counts), 0.0)


def values(found: Mapping[str, Statistic], rows: int) -> dict[str, float]:
    """The statistics on the rows as they are."""
    whole: Counts = np.ones((1, rows), dtype=np.int64)
    return {name: float(statistic(whole)[0]) for name, statistic in found.items()}


def per_dimension(
    true: Floats, predicted: Floats, mean: Floats, skill: Mapping[str, Interval], names: tuple[str, ...]
) -> pd.DataFrame:
    """The columns of `PerDimension`."""
    rows = []
    for index, name in enumerate(names):
        own, given = predicted[:, index], true[:, index]
        error, other = mae(own, given), mae(mean[:, index], given)
        rows.append(
            {
                "dimension": name,
                "mae": error,
                "rmse": rmse(own, given),
                "pearson": pearson_correlation(own, given),
                "spearman": spearman_correlation(own, given),
                "within_one": accuracy_within(own, given, 1.0),
                "mean_mae": other,
                "skill": 1 - error / other if other else 0.0,
                "skill_low": skill[f"skill/{name}"].low,
                "skill_high": skill[f"skill/{name}"].high,
            }
        )
    return pd.DataFrame(rows)


def progression(history: list[dict[str, Any]], best: int) -> dict[str, Any]:
    """What the curves say: whether validation got worse after the chosen record `best`, whether training had settled.

    `val_mae_verdict` is the quick check of a 10-point scale: good below 1.0, more training up to 1.5, retrain above.
    """
    val = [record["val"]["mae"] for record in history]
    train = [record["train"]["mae"] for record in history]
    later = val[-1] - val[best]
    gain = (val[-2] - val[-1]) / val[-2] if len(val) > 1 and val[-2] else 0.0
    return {
        "best_validation": best + 1,
        "validations": len(val),
        "best_val_mae": val[best],
        "train_mae_then": train[best],
        "worse_since": later,
        "converged": bool(abs(gain) < 0.02),
        "overfitting": bool(later > 0.05 * val[best] and train[-1] < train[best]),
        "val_mae_verdict": "good" if val[best] < 1.0 else "may need more training" if val[best] <= 1.5 else "retrain",
    }
