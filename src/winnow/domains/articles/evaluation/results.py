"""What evaluate finds of the scorer: its metrics beside the baselines', and the tables of the deployment page."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.articles.definitions import Scoring, overall_scores, tier_indices
from winnow.domains.articles.metrics import dimensions_of, one_per_article, overfit_statistics, statistics, wide
from winnow.domains.articles.params import Evaluate
from winnow.domains.articles.tables import Predictions
from winnow.judge.intervals import Interval, bootstrap, values
from winnow.judge.result import EvaluationResult, compare
from winnow.judge.settings import Condition, Gate
from winnow.measure.regression import accuracy_within, mae, pearson_correlation, rmse, spearman_correlation

Floats = NDArray[np.float64]


def predictions_table(rows: pd.DataFrame, predicted: Floats, mean: Floats, scoring: Scoring) -> pd.DataFrame:
    """The columns of `Predictions`, of articles with their labels; `mean` (dimensions,) are the mean predictor's."""
    true = rows[list(scoring.dimensions)].to_numpy(np.float64)
    tiers = {
        name: tier_indices(overall_scores(each, scoring), scoring)
        for name, each in (("tier", true), ("predicted_tier", predicted))
    }
    about = rows[["article_id", "split", "group", "words"]].assign(**tiers, tiers=len(scoring.tiers))
    parts = [
        about.assign(dimension=name, true=true[:, index], predicted=predicted[:, index], mean=mean[index])
        for index, name in enumerate(scoring.dimensions)
    ]
    return pd.concat(parts, ignore_index=True)[list(Predictions.to_schema().columns)]


def result(
    predictions: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], params: Evaluate, rng: np.random.Generator
) -> EvaluationResult:
    """The model's metrics with intervals over groups, with the baselines' on the same articles.

    `predictions` are `Predictions` of all splits, `baselines` those of each baseline in the test split.
    """
    test = predictions[predictions["split"] == "test"]
    articles = one_per_article(test)
    rivals = {
        name: {metric: each for metric, each in statistics(table).items() if "/" not in metric}
        for name, table in baselines.items()
    }
    found = compare(statistics(test), rivals, len(articles), params, rng, groups=articles["group"])
    both = predictions[predictions["split"] != "val"]
    apart, rows = overfit_statistics(both), both["article_id"].nunique()
    interval = bootstrap(apart, rows, rng=rng, **params.bootstrap.model_dump())
    return found.adding(values(apart, rows), interval)


def gate_in_points(gate: Gate, width: float) -> Gate:
    """The gate with targets of errors in points: in params.yaml they are shares of the scale's width."""

    def in_points(condition: Condition) -> Condition:
        if condition.metric not in {"mae", "rmse"}:
            return condition
        return condition.model_copy(update={"target": condition.target * width, "review": condition.review * width})

    return gate.model_copy(update={"conditions": list(map(in_points, gate.conditions))})


def per_dimension(test: pd.DataFrame, skill: Mapping[str, Interval]) -> pd.DataFrame:
    """The columns of `PerDimension`, of the test rows of `Predictions`; `skill` holds the intervals of `skill/…`."""
    true, predicted, mean = (wide(test, column) for column in ("true", "predicted", "mean"))
    rows = []
    for index, name in enumerate(dimensions_of(test)):
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
                "skill": 1 - error / other if f"skill/{name}" in skill else np.nan,
                "skill_low": skill[f"skill/{name}"].low if f"skill/{name}" in skill else np.nan,
                "skill_high": skill[f"skill/{name}"].high if f"skill/{name}" in skill else np.nan,
            }
        )
    return pd.DataFrame(rows)


def progression(history: list[dict[str, Any]], best: int, width: float) -> dict[str, Any]:
    """What the curves say: whether validation got worse after the chosen record `best`, whether training had settled.

    `val_mae_verdict` is a quick check: good below a tenth of the scale's width, more training up to .15, retrain above.
    """
    val = [record["val"]["mae"] for record in history]
    train = [record["train"]["mae"] for record in history]
    later = val[-1] - val[best]
    gain = (val[-2] - val[-1]) / val[-2] if len(val) > 1 and val[-2] else 0.0
    share = val[best] / width
    verdict = "good" if share < 0.1 else "may need more training" if share <= 0.15 else "retrain"
    return {
        "best_validation": best + 1,
        "validations": len(val),
        "best_val_mae": val[best],
        "train_mae_then": train[best],
        "worse_since": later,
        "converged": bool(abs(gain) < 0.02),
        "overfitting": bool(later > 0.05 * val[best] and train[-1] < train[best]),
        "val_mae_verdict": verdict,
    }


def ceiling(test: pd.DataFrame, repeats: pd.DataFrame, people: pd.DataFrame, oracle_ids: set[str]) -> pd.DataFrame:
    """The columns of `Ceiling`. `test` holds test rows of `Predictions`, `repeats` is `Repeats`, `people` `Scores`.

    Where the source's scores are the labels, they are no second opinion: `oracle_ids`, the articles that the oracle
    labelled, alone are compared with people.
    """
    scored = test[test["article_id"].isin(oracle_ids)].merge(people, on=["article_id", "dimension"])
    twice = repeats.assign(apart=(repeats["first"] - repeats["second"]).abs())
    rows = []
    for name in dimensions_of(test):
        own, again = scored[scored["dimension"] == name], twice.loc[twice["dimension"] == name, "apart"]
        each = test[test["dimension"] == name]
        rows.append(
            {
                "dimension": name,
                "mae": mae(each["predicted"], each["true"]),
                "repeats": len(again),
                "repeat_mae": float(again.mean()) if len(again) else np.nan,
                "people": len(own),
                "oracle_people_mae": mae(own["true"], own["score"]) if len(own) else np.nan,
                "model_people_mae": mae(own["predicted"], own["score"]) if len(own) else np.nan,
            }
        )
    return pd.DataFrame(rows)
