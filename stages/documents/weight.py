"""
Compute each class's weight in the loss, and warn of a data set that is too small or too uneven.

    dvc repro weight@documents
"""

from winnow.domains.documents.params import Common, Weight
from winnow.domains.documents.rules.classes import class_counts, warnings, weigh_classes
from winnow.domains.documents.tables import ClassWeights, Labels, Splits
from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Weight]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    train = labels[labels["image_id"].isin(splits.loc[splits["split"] == "train", "image_id"])]
    known = train["label"].dropna().astype("int64")
    classes = weigh_classes(known)
    found = warnings(class_counts(labels["label"]), len(train), stage.params)
    say(*found)
    stage.write("classes.parquet", classes, ClassWeights)
    stage.account(
        len(labels), weighed=len(known), without_class=len(train) - len(known), held_out=len(labels) - len(train)
    )
    stage.metrics(
        samples=dict(zip(classes["name"], classes["samples"], strict=True)),
        weight=dict(zip(classes["name"], classes["weight"], strict=True)),
        warnings=found,
    )


if __name__ == "__main__":
    run_stage(main)
