"""
Train the generator: a transformer that predicts a route hold by hold, given its board, its angle and its grade.

    dvc repro train@climb
"""

import pandas as pd

from winnow.domains.climb.model.artifacts import Settings, make_artifacts
from winnow.domains.climb.model.generation import check_some_possible
from winnow.domains.climb.model.training import GeneratorTask
from winnow.domains.climb.params import Common, Train
from winnow.domains.climb.tables import Labels, QualityBins, Splits, Tokens, Weights
from winnow.learn.stage import train_model
from winnow.pipeline.stage import Stage, run_stage


def join(labels: pd.DataFrame, splits: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """`Labels` with the columns split and weight; the weight of routes that are not trained on is NaN."""
    routes = labels.merge(splits[["route_id", "split"]], on="route_id", validate="one_to_one")
    return routes.merge(weights, on="route_id", how="left", validate="one_to_one")


def main(stage: Stage[Common, Train]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    tokens = stage.read("label/tokens.parquet", Tokens)
    splits = stage.read("split/splits.parquet", Splits)
    weights = stage.read("weight/weights.parquet", Weights)
    bins = stage.read("label/quality_bins.parquet", QualityBins)
    settings = Settings(limits=stage.common, decoding=stage.params.decoding)
    artifacts = make_artifacts(settings, labels, splits, tokens, bins)
    task = GeneratorTask(join(labels, splits, weights), tokens, stage.common, stage.params, artifacts)
    check_some_possible(task.train, stage.common)
    train_model(stage, task)


if __name__ == "__main__":
    run_stage(main)
