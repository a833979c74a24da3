"""The metrics of scoring articles: their names, and how they are computed from the tables that evaluate stores.

A train program must not import this module: its metrics may change without training again.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.articles.source.filters import known_filters, read_filter
from winnow.judge.intervals import Counts, Statistic, on_rows, ratio, transformed
from winnow.judge.paired import Compared
from winnow.measure import classification
from winnow.pipeline.errors import TableError

Floats = NDArray[np.float64]

GATE_METRICS = (
    "mae",
    "rmse",
    "pearson_correlation",
    "spearman_correlation",
    "within_one_accuracy",
    "tier_accuracy",
    "tier_f1",
    "mean_skill_score",
    "lowest_skill_score",
    "overfit_error",
)
"""What evaluate measures of the model: names for the gate."""


def __getattr__(name: str) -> tuple[str, ...]:
    """`VALIDATION_METRICS`, what train measures after each epoch; of the filters that exist, since those are data."""
    if name != "VALIDATION_METRICS":
        raise AttributeError(name)
    dimensions = sorted({each for known in known_filters() for each in read_filter(known).names})
    own = [f"dimension_{error}/{each}" for error in ("mae", "rmse") for each in dimensions]
    return ("loss", "mae", "rmse", "pearson_correlation", *own)


def wide(predictions: pd.DataFrame, column: str) -> Floats:
    """A column of `Predictions` as `(articles, dimensions)`: by article_id, dimensions as they come in the table."""
    table = predictions.pivot_table(index="article_id", columns="dimension", values=column, sort=False)
    return table.sort_index()[dimensions_of(predictions)].to_numpy(np.float64)


def dimensions_of(predictions: pd.DataFrame) -> list[str]:
    """The names of the dimensions, as they come in the table."""
    return list(dict.fromkeys(predictions["dimension"]))


def one_per_article(predictions: pd.DataFrame) -> pd.DataFrame:
    """What articles have once of `Predictions`, with their mean absolute error; in the order of `wide`."""
    own = predictions.assign(error=(predictions["predicted"] - predictions["true"]).abs())
    columns = dict.fromkeys(("split", "group", "tier", "predicted_tier", "tiers"), "first") | {"error": "mean"}
    return own.groupby("article_id", as_index=False).agg(columns)


def statistics(test: pd.DataFrame) -> dict[str, Statistic]:
    """Metrics of the test rows of `Predictions`, as functions of how often each article is drawn.

    Correlations are means over the dimensions; one that is undefined counts as 0. Ranks are those of the whole set.
    Skill is 1 - MAE / MAE of the mean predictor, of each dimension that varies; raises TableError when none does.
    """
    articles = one_per_article(test)
    true, predicted, mean = (wide(test, column) for column in ("true", "predicted", "mean"))
    errors, others = np.abs(predicted - true), np.abs(mean - true)
    alive = np.flatnonzero(others.any(axis=0))
    if not len(alive):
        raise TableError(
            "every dimension has one and the same score in all articles: there is nothing to predict",
            where="data/articles/label/scores.parquet",
            fix="see metrics/articles/calibration_report.md",
        )
    tiers, found = (articles[name].to_numpy(np.int64) for name in ("tier", "predicted_tier"))
    classes = int(articles["tiers"].iloc[0])

    def tier_f1(counts: Counts) -> Floats:
        return classification.macro_f1s(classification.resampled_confusions(tiers, found, classes, counts))

    def of_rows(each: Floats) -> Statistic:
        return ratio(each, np.ones(len(each)))

    def skill(over: Callable[[Floats], Floats]) -> Statistic:
        return lambda counts: over(skills(counts))

    def of_dimension(index: int) -> Callable[[Floats], Floats]:
        return lambda each: each[:, index]

    def skills(counts: Counts) -> Floats:
        above, below = counts @ errors[:, alive], counts @ others[:, alive]
        return np.asarray(1 - np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0))

    ranks = [pd.DataFrame(each).rank().to_numpy() for each in (true, predicted)]
    return {
        "mae": of_rows(errors.mean(axis=1)),
        "rmse": transformed(np.sqrt, of_rows((errors**2).mean(axis=1))),
        "pearson_correlation": _mean_correlation(true, predicted),
        "spearman_correlation": _mean_correlation(ranks[0], ranks[1]),
        "within_one_accuracy": of_rows((errors <= 1).mean(axis=1)),
        "tier_accuracy": of_rows((tiers == found).astype(np.float64)),
        "tier_f1": tier_f1,
        "mean_skill_score": skill(lambda each: each.mean(axis=1)),
        "lowest_skill_score": skill(lambda each: each.min(axis=1)),
        **{f"skill/{dimensions_of(test)[each]}": skill(of_dimension(index)) for index, each in enumerate(alive)},
    }


def overfit_statistics(predictions: pd.DataFrame) -> dict[str, Statistic]:
    """How much of the test MAE is not there in training: 1 - train MAE / test MAE, 0 at least, of the rows of both."""
    articles = one_per_article(predictions)
    errors, is_test = articles["error"].to_numpy(), (articles["split"] == "test").to_numpy(np.float64)
    train, test = ratio(errors * (1 - is_test), 1 - is_test), ratio(errors * is_test, is_test)
    return {"overfit_error": lambda counts: np.maximum(1 - train(counts) / test(counts), 0.0)}


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


StatisticsOf = Callable[[pd.DataFrame], dict[str, Statistic]]


def _per_article(statistics_of: StatisticsOf) -> StatisticsOf:
    """`statistics_of`, which counts articles, for tables with a row for each article and dimension, by article."""

    def of_rows(predictions: pd.DataFrame) -> dict[str, Statistic]:
        first = np.flatnonzero(~predictions["article_id"].duplicated())
        return {name: on_rows(each, first) for name, each in statistics_of(predictions).items()}

    return of_rows


COMPARED = (
    Compared(
        "evaluate/predictions.parquet",
        key=["article_id", "dimension"],
        groups="group",
        truth=["true"],
        statistics=_per_article(statistics),
        rows=lambda table: table[table["split"] == "test"],
    ),
    Compared(
        "evaluate/predictions.parquet",
        key=["article_id", "dimension"],
        groups="article_id",
        truth=["true", "split"],
        statistics=_per_article(overfit_statistics),
        rows=lambda table: table[table["split"] != "val"],
        whole="the set of judged training and test articles",
    ),
)
"""How two trained models are compared row by row."""
