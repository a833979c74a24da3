"""
Weight training articles so that each tier, or each overall score, is drawn alike; by default all are drawn equally.

    dvc repro weight@articles
"""

import pandas as pd

from winnow.curate.weights import effective_sample_size, inverse_frequency_weights, to_mean_one
from winnow.domains.articles.params import Common, Weight
from winnow.domains.articles.tables import Labels, Splits, Weights
from winnow.pipeline.stage import Stage, run_stage

BINS = 20
"""Of equal width over the overall scores found, for their density."""


def weigh_articles(labels: pd.DataFrame, params: Weight) -> pd.DataFrame:
    """The columns of `Weights`: proportional to 1 / frequency, none more than `max_ratio` times the smallest."""
    if params.method == "none":
        raw = pd.Series(1.0, index=labels.index)
    elif params.method == "tier":
        raw = inverse_frequency_weights(labels["tier"])
    else:
        raw = inverse_frequency_weights(pd.cut(labels["overall"], BINS, labels=False))
    capped = raw.clip(upper=raw.min() * params.max_ratio)
    return pd.DataFrame({"article_id": labels["article_id"], "weight": to_mean_one(capped)})


def main(stage: Stage[Common, Weight]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    train = labels[labels["article_id"].isin(splits.loc[splits["split"] == "train", "article_id"])]
    train = train.reset_index(drop=True)
    weights = weigh_articles(train, stage.params)
    stage.write("weights.parquet", weights, Weights)
    stage.account(len(labels), weighed=len(weights), held_out=len(labels) - len(weights))
    stage.metrics(
        effective_sample_size=effective_sample_size(weights["weight"]),
        max_ratio=float(weights["weight"].max() / weights["weight"].min()),
        mean_weight_by_tier=weights["weight"].groupby(train["tier"]).mean().to_dict(),
    )


if __name__ == "__main__":
    run_stage(main)
