"""
Train the generator: a transformer that predicts a route hold by hold, given its board, its angle and its grade.

    dvc repro train@climb
"""

from dataclasses import replace
from functools import partial

import pandas as pd

from winnow.domains.climb.model.artifacts import Settings, make_artifacts
from winnow.domains.climb.model.generation import check_some_possible
from winnow.domains.climb.model.samples import Samples
from winnow.domains.climb.model.sequences import Sequences, encode
from winnow.domains.climb.model.training import batch_loss, build_model, make_loaders, metrics, predict
from winnow.domains.climb.params import Common, Train
from winnow.domains.climb.tables import Labels, QualityBins, Splits, Tokens, Weights
from winnow.learn.stage import train_model
from winnow.learn.task import Task
from winnow.pipeline.stage import Stage, run_stage


def join(labels: pd.DataFrame, splits: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """`Labels` with the columns split and weight; the weight of routes that are not trained on is NaN."""
    routes = labels.merge(splits[["route_id", "split"]], on="route_id", validate="one_to_one")
    return routes.merge(weights, on="route_id", how="left", validate="one_to_one")


def make_task(routes: pd.DataFrame, tokens: pd.DataFrame, train: Sequences, common: Common, params: Train) -> Task:
    """What climbing passes to the training loop."""
    return Task(
        build=lambda: build_model(params.network, common.max_holds, train),
        loaders=lambda subset, share: make_loaders(routes, tokens, subset, share, weighted=params.weighted),
        loss=partial(batch_loss, grade_dropout=params.grade_dropout),
        predict=predict,
        metrics=metrics,
    )


def main(stage: Stage[Common, Train]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    tokens = stage.read("label/tokens.parquet", Tokens)
    splits = stage.read("split/splits.parquet", Splits)
    weights = stage.read("weight/weights.parquet", Weights)
    routes = join(labels, splits, weights)
    train = encode(routes[routes["split"] == "train"], tokens)
    check_some_possible(train, stage.common)
    task = make_task(routes, tokens, train, stage.common, stage.params)
    settings = Settings(limits=stage.common, decoding=stage.params.decoding)
    bins = stage.read("label/quality_bins.parquet", QualityBins)
    task = replace(task, save_extras=make_artifacts(settings, labels, splits, tokens, bins).write)
    if stage.params.eval_samples:
        samples = Samples(settings, train, stage.params.eval_samples)
        task = replace(task, predict=samples.predict, metrics=samples.metrics)
    train_model(stage, task)


if __name__ == "__main__":
    run_stage(main)
