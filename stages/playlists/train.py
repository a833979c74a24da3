"""
Train PlaylistGAT to find the tracks that come next in a playlist.

    dvc repro train@playlists
"""

import torch

from winnow.domains.playlists.model.artifacts import make_artifacts, write_settings
from winnow.domains.playlists.model.completion import choose_blend
from winnow.domains.playlists.model.network import PlaylistGAT
from winnow.domains.playlists.model.tensors import track_graph
from winnow.domains.playlists.model.training import CompleterTask, training_data, validation_block
from winnow.domains.playlists.params import Common, Train
from winnow.domains.playlists.tables import (
    Artists,
    EdgeSettings,
    GenreEdges,
    Genres,
    NumberedPlaylists,
    Sampling,
    Splits,
    TrackEdges,
    Tracks,
)
from winnow.learn.devices import keep_freed_memory
from winnow.learn.stage import train_model
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Train]) -> None:
    params = stage.params
    tracks = stage.read("label/tracks.parquet", Tracks)
    artists = stage.read("label/artists.parquet", Artists)
    genres = stage.read("label/genres.parquet", Genres)
    genre_edges = stage.read("label/genre_edges.parquet", GenreEdges)
    splits = stage.read("split/splits.parquet", Splits)
    sampling = stage.read("weight/sampling.parquet", Sampling)
    edges = stage.read("weight/track_edges.parquet", TrackEdges)
    graph = track_graph(tracks, edges, sampling, stage.read("weight/edge_settings.parquet", EdgeSettings))
    playlists = stage.read("label/playlists.parquet", NumberedPlaylists)
    data = training_data(splits, (len(playlists), len(tracks)), params)
    artifacts = make_artifacts(playlists, tracks, artists, genres, genre_edges, sampling, splits)
    task = CompleterTask(data, graph, genre_edges, len(artists), sampling, params, artifacts)
    keep_freed_memory()
    result = train_model(stage, task)
    assert isinstance(result.model, PlaylistGAT)
    with torch.inference_mode():
        block = validation_block(len(tracks))
        near, chances = choose_blend(result.model, data.sequences, data.val, genre_edges, params.blend, block)
    write_settings(stage.output("model"), artifacts, near, chances)


if __name__ == "__main__":
    run_stage(main)
