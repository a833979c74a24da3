"""
Train the scorer: a language model with a head of one output per dimension.

    dvc repro train@articles
"""

from typing import Any

import pandas as pd

from winnow.domains.articles.definitions import read_config, scoring_of, wide_scores
from winnow.domains.articles.model.scoring import save_mixture
from winnow.domains.articles.model.training import ScorerTask
from winnow.domains.articles.params import Common, Train
from winnow.domains.articles.tables import Articles, Labels, Scores, Splits, Weights
from winnow.learn.devices import device_for
from winnow.learn.stage import train_model
from winnow.pipeline.console import say
from winnow.pipeline.files import write_json
from winnow.pipeline.stage import Stage, run_stage


def join(articles: pd.DataFrame, scores: pd.DataFrame, splits: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """Labelled articles with their scores (one column a dimension), split and weight, by article_id."""
    rows = scores.reset_index().merge(articles[["article_id", "title", "content"]], on="article_id")
    rows = rows.merge(splits[["article_id", "split"]], on="article_id", validate="one_to_one")
    rows = rows.merge(weights, on="article_id", how="left", validate="one_to_one")
    return rows.sort_values("article_id", ignore_index=True)


def chosen_validation(history: list[dict[str, Any]], epoch: int, select: str) -> int:
    """Which record of the history the model's weights are of; an epoch has several when it is validated by steps."""
    own = [number for number, record in enumerate(history) if record["epoch"] == epoch]
    return own[-1] if select == "last" else [number for number in own if history[number]["best"]][-1]


def main(stage: Stage[Common, Train]) -> None:
    config = read_config(stage.input("ingest/config.json"))
    labels = stage.read("label/labels.parquet", Labels)
    scores = wide_scores(stage.read("label/scores.parquet", Scores), config.names)
    articles = stage.read("ingest/articles.parquet", Articles)
    articles = articles[articles["article_id"].isin(labels["article_id"])]
    splits, weights = stage.read("split/splits.parquet", Splits), stage.read("weight/weights.parquet", Weights)
    rows = join(articles, scores, splits, weights)
    task = ScorerTask(rows, scoring_of(config), stage.params)
    result = train_model(stage, task)
    write_json(stage.output("model/training_history.json"), {"epochs": result.history})
    best = chosen_validation(result.history, result.best_epoch, stage.params.select)
    about = {
        "filter": stage.common.definition,
        "best_epoch": result.best_epoch,
        "best_validation": best + 1,
        "best_val_mae": result.history[best]["val"]["mae"],
        "rows": rows["split"].value_counts().to_dict(),
        "configuration": stage.params.model_dump(),
    }
    if stage.params.ridge_shares:
        mixture, error = task.mixture(result.model, device_for(stage.runtime, stage.params.threads))
        save_mixture(mixture, stage.output("model"))
        alone = ": the network has none" if mixture.share == 1 else ""
        say(f"ridge regression on words has a share of {mixture.share:g} in the scores{alone}; val MAE {error:.4g}")
        about["ridge"] = {"share": mixture.share, "alpha": mixture.ridge.alpha, "mixture_val_mae": error}
    write_json(stage.output("model/training_metadata.json"), about)


if __name__ == "__main__":
    run_stage(main)
