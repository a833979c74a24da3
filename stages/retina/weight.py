"""
Compute each grade's weight in the loss, and how often photographs are drawn when sampling is weighted.

    dvc repro weight@retina
"""

import pandas as pd

from winnow.curate.weights import balanced_class_weights, effective_number_weights, inverse_frequency_weights
from winnow.domains.retina import definitions
from winnow.domains.retina.params import Common, Weight
from winnow.domains.retina.tables import ClassWeights, Labels, Splits, Weights
from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage, run_stage


def weigh_classes(grades: "pd.Series[int]", params: Weight) -> pd.DataFrame:
    """The columns of `ClassWeights`, by the method of `params`, cut at `max_class_weight`.

    Their ratios are what matters: AdamW's steps do not depend on the loss's scale. A grade without a training
    photograph weighs 0; the others are weighed as if it did not exist.
    """
    samples = grades.value_counts().reindex(definitions.GRADES, fill_value=0)
    balanced = balanced_class_weights(grades)
    weight = balanced
    if params.method == "sqrt":
        weight = balanced**0.5
        weight = weight / grades.map(weight).mean()
    elif params.method == "effective_number":
        weight = effective_number_weights(grades, params.effective_beta)
    table = pd.DataFrame({"samples": samples, "balanced": balanced, "uncut": weight}).fillna(
        {"balanced": 0, "uncut": 0}
    )
    table["weight"] = table["uncut"].clip(upper=params.max_class_weight)
    return table.rename_axis("grade").reset_index().astype({"grade": "int64", "samples": "int64"})


def warnings(classes: pd.DataFrame) -> list[str]:
    """A line for each weight that is cut and each grade without a sample."""
    lines = []
    rows = zip(*(classes[name].tolist() for name in ("grade", "samples", "uncut", "weight")), strict=True)
    for grade, samples, uncut, weight in rows:
        if samples == 0:
            lines.append(f"⚠ class {grade} has no training sample: the model cannot learn it")
        elif uncut > weight:
            lines.append(
                f"⚠ class {grade}'s weight {uncut:.4g} is cut to {weight:g}: a few photographs would dominate the "
                "loss; consider method: sqrt or effective_number"
            )
    return lines


def main(stage: Stage[Common, Weight]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    train = labels[labels["image_id"].isin(splits.loc[splits["split"] == "train", "image_id"])].reset_index(drop=True)
    classes = weigh_classes(train["grade"], stage.params)
    found = warnings(classes)
    say(*found)
    drawn = pd.DataFrame({"image_id": train["image_id"], "weight": inverse_frequency_weights(train["grade"])})
    stage.write("weights.parquet", drawn, Weights)
    stage.write("classes.parquet", classes, ClassWeights)
    stage.account(len(labels), weighed=len(drawn), held_out=len(labels) - len(drawn))
    stage.metrics(
        samples=dict(zip(classes["grade"], classes["samples"], strict=True)),
        balanced=dict(zip(classes["grade"], classes["balanced"], strict=True)),
        weight=dict(zip(classes["grade"], classes["weight"], strict=True)),
        warnings=found,
    )


if __name__ == "__main__":
    run_stage(main)
