"""
Compute each grade's weight in the loss, and how often photographs are drawn when sampling is weighted.

    dvc repro weight@retina
"""

import sys

import pandas as pd

from winnow.curate.weights import balanced_class_weights, inverse_frequency_weights
from winnow.domains.retina import definitions
from winnow.domains.retina.params import Common, Weight
from winnow.domains.retina.tables import ClassWeights, Labels, Splits, Weights
from winnow.pipeline.stage import Stage, run_stage


def weigh_classes(grades: "pd.Series[int]", params: Weight) -> pd.DataFrame:
    """The columns of `ClassWeights`: scikit-learn's balanced weights, scaled to a mean of 1 with `normalise`.

    A grade without a training photograph weighs 0; the others are weighed as if it did not exist.
    """
    samples = grades.value_counts().reindex(definitions.GRADES, fill_value=0)
    balanced = balanced_class_weights(grades).reindex(definitions.GRADES, fill_value=0.0)
    weight = balanced / balanced[samples > 0].mean() if params.normalise else balanced
    table = pd.DataFrame({"samples": samples, "balanced": balanced, "weight": weight})
    return table.rename_axis("grade").reset_index().astype({"grade": "int64", "samples": "int64"})


def format_weights(classes: pd.DataFrame, params: Weight) -> list[str]:
    """The weights as lines of text; a warning for each weight that is too large and each grade without a sample."""
    rows = list(zip(*(classes[name].tolist() for name in ("grade", "samples", "balanced", "weight")), strict=True))
    lines = [f"Class {grade}: {samples} samples, weight: {weight:.4f}" for grade, samples, _, weight in rows]
    remedy = "it is scaled down with the others" if params.normalise else "consider normalise: true"
    for grade, samples, balanced, _ in rows:
        if samples == 0:
            lines.append(f"⚠ class {grade} has no training sample: the model cannot learn it")
        elif balanced > params.max_class_weight:
            lines.append(
                f"⚠ class {grade}'s balanced weight is {balanced:.4g}, above {params.max_class_weight:g}: "
                f"a few photographs would dominate the loss; {remedy}"
            )
    return lines


def main(stage: Stage[Common, Weight]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    train = labels[labels["image_id"].isin(splits.loc[splits["split"] == "train", "image_id"])].reset_index(drop=True)
    classes = weigh_classes(train["grade"], stage.params)
    lines = format_weights(classes, stage.params)
    print("\n".join(lines), file=sys.stderr)
    drawn = pd.DataFrame({"image_id": train["image_id"], "weight": inverse_frequency_weights(train["grade"])})
    stage.write("weights.parquet", drawn, Weights)
    stage.write("classes.parquet", classes, ClassWeights)
    stage.account(len(labels), weighed=len(drawn), held_out=len(labels) - len(drawn))
    stage.metrics(
        samples=dict(zip(classes["grade"], classes["samples"], strict=True)),
        balanced=dict(zip(classes["grade"], classes["balanced"], strict=True)),
        weight=dict(zip(classes["grade"], classes["weight"], strict=True)),
        warnings=[line for line in lines if line.startswith("⚠")],
    )


if __name__ == "__main__":
    run_stage(main)
