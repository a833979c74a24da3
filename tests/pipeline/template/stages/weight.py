"""
Rows of large groups weigh less: each group is drawn equally often.

    dvc repro weight@toy
"""

from winnow.curate.weights import inverse_frequency_weights
from winnow.domains.toy.params import Common, Weight
from winnow.domains.toy.tables import Labels, Rows, Splits, Weights
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Weight]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    rows = labels.merge(stage.read("ingest/rows.parquet", Rows)[["row_id", "group"]], on="row_id")
    train = rows[rows["row_id"].isin(splits.loc[splits["split"] == "train", "row_id"])]
    weights = train.assign(weight=inverse_frequency_weights(train["group"]))[["row_id", "weight"]]
    stage.write("weights.parquet", weights, Weights)
    stage.account(len(labels), weighed=len(weights), held_out=len(labels) - len(weights))


if __name__ == "__main__":
    run_stage(main)
