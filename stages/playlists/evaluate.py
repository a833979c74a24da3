"""
Rank all tracks for every test playlist, compare with tuned baselines, and check the explanations.

    dvc repro evaluate@playlists
"""

import pandas as pd
import torch

from winnow.domains.playlists import definitions
from winnow.domains.playlists.evaluation import results
from winnow.domains.playlists.evaluation.baselines import TunedBaselines, give
from winnow.domains.playlists.evaluation.rivals import about_tracks
from winnow.domains.playlists.evaluation.seeds import seeds_table
from winnow.domains.playlists.model.artifacts import read_artifacts, read_blend
from winnow.domains.playlists.model.completion import Completer
from winnow.domains.playlists.model.explanations import CompletionExplainer, explain
from winnow.domains.playlists.model.network import PlaylistGAT
from winnow.domains.playlists.params import Common, Evaluate
from winnow.domains.playlists.tables import (
    Artists,
    Completed,
    GenreEdges,
    Genres,
    NumberedPlaylists,
    Ranked,
    Sampling,
    Seeds,
    Splits,
    Tracks,
)
from winnow.judge.files import evaluation_files
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for, keep_freed_memory
from winnow.learn.trained import load_trained
from winnow.pipeline.stage import Stage, run_stage
from winnow.recommend.explanations import check_first_reasons
from winnow.recommend.lists import coverage, exposure
from winnow.recommend.metrics import checks_by_kind
from winnow.recommend.ranking import Ranking, rank_by, rank_metrics
from winnow.recommend.tables import Checks, Exposure


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    device = device_for(stage.runtime, params.threads)
    torch.set_grad_enabled(False)
    keep_freed_memory()
    names = {
        "playlists": stage.read("label/playlists.parquet", NumberedPlaylists),
        "tracks": stage.read("label/tracks.parquet", Tracks),
        "artists": stage.read("label/artists.parquet", Artists),
        "genres": stage.read("label/genres.parquet", Genres),
    }
    splits = stage.read("split/splits.parquet", Splits)
    popularity = stage.read("weight/sampling.parquet", Sampling)["playlists"].to_numpy()
    artist = names["tracks"]["artist_index"].to_numpy()
    shape = len(names["playlists"]), len(artist)
    data = give(splits, shape, tuned_on=params.baselines.tuning_playlists, tested_on=params.test_playlists)

    model = load_trained(PlaylistGAT, stage.domain, device)
    completer = Completer(model, read_blend(stage.input("train/model")))
    options = {"places": definitions.PLACES, "block": params.block}
    lists: dict[str, Ranking] = {"model": rank_by(completer.scorer(data.known), data.test, **options)}
    alone = (
        rank_by(completer.without_blend().scorer(data.known), data.test, **options)
        if completer.blend
        else lists["model"]
    )
    edges = stage.read("label/genre_edges.parquet", GenreEdges)
    about = about_tracks(names["tracks"], edges, popularity)
    baselines = TunedBaselines(data, about, params.baselines, block=params.block, seed=int(rng.integers(2**31)))
    lists |= dict(baselines.lists(definitions.PLACES))

    tables, extra, shown = {}, {}, []
    for name, own in lists.items():
        tables[name] = results.per_playlist(name, own, data.test, popularity, artist)
        extra[name] = {"coverage_score": coverage(own, len(artist), definitions.LIST_LENGTH)}
        shown.append(exposure(name, own, popularity, definitions.LIST_LENGTH))
    ranked = rank_by(completer.scorer(data.train), data.val, **options)
    for metric, values in rank_metrics(ranked, definitions.CUTOFFS).items():
        extra["model"][f"val_{metric}"] = float(values.mean())
    network = results.per_playlist("network", alone, data.test, popularity, artist)

    seeds = seeds_table(
        {"model": completer.scorer, **baselines.some("popularity", baselines.strongest)},
        read_artifacts(stage.input("train/model")).words,
        names["playlists"]["name"].tolist(),
        splits,
        data,
        artist,
        params.block,
    )

    explainer = CompletionExplainer(completer, data.known)
    drawn = rng.permutation(len(lists["model"].users))[: params.explanation_checks]
    recommended = [(int(lists["model"].users[row]), int(lists["model"].lists[row, 0])) for row in drawn]
    checks = check_first_reasons(explainer, recommended, rng)

    stage.write("ranked.parquet", pd.concat([*tables.values(), network]), Ranked)
    stage.write("slices.parquet", results.slices(tables["model"]), Slices)
    stage.write("exposure.parquet", pd.concat(shown), Exposure)
    stage.write("checks.parquet", checks, Checks)
    stage.write("seeds.parquet", seeds, Seeds)
    stage.write("completed.parquet", explain(explainer, lists["model"], names, params, rng), Completed)
    files = evaluation_files(
        params.gate, results.result(tables, extra, {"network": network}, checks, params, rng), embedded=stage.embedded
    )
    stage.metrics(**files.metrics)
    stage.judgement(
        {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "playlists_test": len(data.test.users),
            "blend_weight": completer.blend.weight if completer.blend else 0.0,
            "explanations_checked": len(checks),
            "explanations": checks_by_kind(checks),
            "baseline_settings": baselines.chosen(),
            "baseline_settings_at_grid_edge": baselines.edges,
            "baseline_settings_not_tuned": baselines.not_tuned,
            **files.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
