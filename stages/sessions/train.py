"""Train the recommender: a graph attention network over who listened to what."""

from functools import partial

from winnow.domains.sessions.model.tensors import build_model
from winnow.domains.sessions.model.training import (
    batch_loss,
    fields,
    learnt_sides,
    make_loaders,
    metrics,
    predict,
    to_negatives,
)
from winnow.domains.sessions.params import Common, Train
from winnow.domains.sessions.tables import Genres, InteractionWeights, Sampling, Songs, UserTypes
from winnow.learn.stage import train_model
from winnow.learn.task import Task
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Train]) -> None:
    params = stage.params
    types = stage.read("split/user_types.parquet", UserTypes)
    songs = stage.read("label/songs.parquet", Songs)
    genres = stage.read("label/genres.parquet", Genres)
    pairs = stage.read("weight/interactions.parquet", InteractionWeights)
    negatives = to_negatives(stage.read("weight/sampling.parquet", Sampling), params.negatives)
    found = fields(types, len(songs), pairs, params)
    task = Task(
        build=lambda: build_model(
            params.network, params.model, found.graph.listeners.numpy(), genres, learnt_sides(params.mode)
        ),
        loaders=lambda _subset, share: make_loaders(found, negatives, params, share),
        loss=partial(batch_loss, loss=params.loss, l2=params.l2),
        predict=predict,
        metrics=metrics,
        constants={"graph": found.graph, "types": found.types},
    )
    train_model(stage, task)


if __name__ == "__main__":
    run_stage(main)
