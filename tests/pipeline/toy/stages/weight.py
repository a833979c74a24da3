"""
Rare species weigh more.

    dvc repro weight@toy
"""

from winnow.curate.weights import inverse_frequency_weights
from winnow.domains.toy.params import Common, Weight
from winnow.domains.toy.tables import Labels, Splits, Weights
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Weight]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    train = labels[labels["flower"].isin(splits.loc[splits["split"] == "train", "flower"])]
    weights = train.assign(weight=inverse_frequency_weights(train["label"]))[["flower", "weight"]]
    stage.write("weights.parquet", weights, Weights)
    stage.account(len(labels), weighed=len(weights), held_out=len(labels) - len(weights))


if __name__ == "__main__":
    run_stage(main)
