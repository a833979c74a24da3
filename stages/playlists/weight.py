"""
Compute the sampling distribution of negatives, and the weighted edges from tracks to tracks.

    dvc repro weight@playlists
"""

import pandas as pd

from winnow.curate.weights import effective_sample_size
from winnow.domains.playlists.params import Common, Weight
from winnow.domains.playlists.rules.splits import check_graph
from winnow.domains.playlists.rules.weights import track_edges, weigh_tracks
from winnow.domains.playlists.tables import EdgeSettings, Sampling, Splits, TrackEdges, Tracks, TrainingGraph
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Weight]) -> None:
    graph = pd.concat(
        [each.astype("int32") for each in stage.pieces("split/graph.parquet", TrainingGraph)], ignore_index=True
    )
    entries = check_graph(graph, stage.pieces("split/splits.parquet", Splits))
    sampling = weigh_tracks(len(stage.read("label/tracks.parquet", Tracks)), graph, stage.params)
    stage.write("sampling.parquet", sampling, Sampling)
    edges = with_edge = 0
    with stage.writer("track_edges.parquet", TrackEdges) as write:
        for part in track_edges(graph, sampling, stage.params):
            write(part)
            edges, with_edge = edges + len(part), with_edge + part["track_index"].nunique()
    settings = pd.DataFrame({"neighbours": [stage.params.neighbours], "shrink": [stage.params.shrink]})
    stage.write("edge_settings.parquet", settings, EdgeSettings)
    stage.account(entries, weighed=len(graph), held_out=entries - len(graph))
    stage.metrics(
        tracks_embedded=int(sampling["embedded"].sum()),
        tracks_in_no_training_playlist=int((sampling["playlists"] == 0).sum()),
        effective_negatives=effective_sample_size(sampling["probability"]),
        track_edges=edges,
        tracks_without_edge=len(sampling) - with_edge,
    )


if __name__ == "__main__":
    run_stage(main)
