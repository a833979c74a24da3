"""
Train the network.

    dvc repro train@toy
"""

from winnow.domains.toy.definitions import FEATURE
from winnow.domains.toy.model.training import RegressionTask
from winnow.domains.toy.params import Common, Train
from winnow.domains.toy.tables import Labels, Rows, Splits, Weights
from winnow.learn.stage import train_model
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Train]) -> None:
    rows = stage.read("ingest/rows.parquet", Rows).drop(columns="target")
    rows = rows.merge(stage.read("label/labels.parquet", Labels), on="row_id")
    rows = rows.merge(stage.read("split/splits.parquet", Splits), on="row_id")
    rows = rows.merge(stage.read("weight/weights.parquet", Weights), on="row_id", how="left")
    features = [name.removeprefix(FEATURE) for name in rows.columns if name.startswith(FEATURE)]
    train_model(stage, RegressionTask(rows, features, stage.params))


if __name__ == "__main__":
    run_stage(main)
