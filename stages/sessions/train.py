"""
Train the recommender: a graph attention network over who listened to what.

    dvc repro train@sessions
"""

import torch

from winnow.domains.sessions.model.artifacts import make_artifacts, write_blend
from winnow.domains.sessions.model.blending import chances_of, choose_blend
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.training import RecommenderTask, training_data
from winnow.domains.sessions.params import Common, Train
from winnow.domains.sessions.tables import (
    Genres,
    InteractionWeights,
    PlayRules,
    Sampling,
    Songs,
    Splits,
    Users,
    UserTypes,
)
from winnow.learn.devices import keep_freed_memory
from winnow.learn.stage import train_model
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Train]) -> None:
    keep_freed_memory()
    params = stage.params
    types = stage.read("split/user_types.parquet", UserTypes)
    songs = stage.read("label/songs.parquet", Songs)
    genres = stage.read("split/genres.parquet", Genres)
    pairs = stage.read("weight/interactions.parquet", InteractionWeights)
    sampling = stage.read("weight/sampling.parquet", Sampling)
    data = training_data(types, len(songs), pairs, params)
    artifacts = make_artifacts(
        stage.read("label/users.parquet", Users),
        types,
        songs,
        genres,
        stage.read("split/splits.parquet", Splits),
        stage.read("label/rules.parquet", PlayRules),
    )
    task = RecommenderTask(data, sampling, genres, params, artifacts)
    result = train_model(stage, task)
    assert isinstance(result.model, GraphRecommender)
    with torch.inference_mode():
        blend = choose_blend(result.model, data, params, params.seed)
        write_blend(stage.output("model"), blend, chances_of(result.model, data, blend, params))


if __name__ == "__main__":
    run_stage(main)
