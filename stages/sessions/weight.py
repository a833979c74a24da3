"""
Compute the sampling distribution of negatives and the weight of each interaction.

    dvc repro weight@sessions
"""

import numpy as np
import pandas as pd

from winnow.curate.weights import effective_sample_size
from winnow.domains.sessions.params import Common, Weight
from winnow.domains.sessions.tables import Interactions, InteractionWeights, Sampling, Songs, Splits
from winnow.pipeline.stage import Stage, run_stage


def weigh_songs(songs: pd.DataFrame, train: pd.DataFrame, params: Weight) -> pd.DataFrame:
    """The columns of `Sampling`: chances ∝ listeners^exponent, 0 without training plays; or the same for all songs."""
    listeners = np.bincount(train["song_index"], minlength=len(songs))
    chance = np.ones(len(songs))
    if params.negatives == "popularity":
        chance = np.where(listeners > 0, np.maximum(listeners, 1.0) ** params.popularity_exponent, 0.0)
    return pd.DataFrame(
        {"song_index": songs["song_index"], "listeners": listeners, "probability": chance / chance.sum()}
    )


def weigh_interactions(pairs: pd.DataFrame, params: Weight) -> pd.DataFrame:
    """The columns of `InteractionWeights` for training and validation rows; mean 1 over the training rows."""
    weight = pairs["confidence"] if params.interactions == "confidence" else pd.Series(1.0, index=pairs.index)
    scaled = weight / weight[pairs["split"] == "train"].mean()
    return pairs[["user_index", "song_index", "split"]].assign(weight=scaled.astype(float))


def main(stage: Stage[Common, Weight]) -> None:
    songs = stage.read("label/songs.parquet", Songs)
    pairs = stage.read("label/interactions.parquet", Interactions)
    splits = stage.read("split/splits.parquet", Splits)
    joined = pairs.merge(splits, on=["user_index", "song_index"], validate="one_to_one")
    used = joined[joined["split"].isin(["train", "val"])].reset_index(drop=True)
    train = used[used["split"] == "train"]
    sampling = weigh_songs(songs, train, stage.params)
    weights = weigh_interactions(used, stage.params)
    stage.write("sampling.parquet", sampling, Sampling)
    stage.write("interactions.parquet", weights, InteractionWeights)
    stage.account(len(pairs), weighed=len(weights), held_out=len(pairs) - len(weights))
    stage.metrics(
        effective_interactions=effective_sample_size(weights.loc[weights["split"] == "train", "weight"]),
        effective_negatives=effective_sample_size(sampling["probability"]),
        songs_never_drawn=int((sampling["probability"] == 0).sum()),
    )


if __name__ == "__main__":
    run_stage(main)
