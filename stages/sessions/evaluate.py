"""
Rank all songs for every test user, compare with tuned baselines, and check the explanations.

    dvc repro evaluate@sessions
"""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from winnow.domains.sessions import definitions
from winnow.domains.sessions.evaluation import results
from winnow.domains.sessions.evaluation.truth import truth_scorer
from winnow.domains.sessions.model.artifacts import read_blend
from winnow.domains.sessions.model.explanations import SongExplainer, explain
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.tensors import graph_of, pairs_of, type_indices
from winnow.domains.sessions.params import Common, Evaluate
from winnow.domains.sessions.tables import Genres, Ranked, Reasons, Scenes, Songs, Splits, Tastes, Users, UserTypes
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for
from winnow.learn.trained import load_trained, model_folder
from winnow.pipeline.stage import Stage, run_stage
from winnow.recommend.baselines import matrix_scorer
from winnow.recommend.explanations import check_first_reasons
from winnow.recommend.filters import Blend
from winnow.recommend.graph import fold_in, matrix_of
from winnow.recommend.held_out import HeldOut, hold_out
from winnow.recommend.lists import coverage, exposure
from winnow.recommend.ranking import Ranking, rank_by, rank_metrics
from winnow.recommend.tables import Exposure
from winnow.recommend.tuning import baseline_grids, tune

PLACES = max(definitions.CUTOFFS)


@dataclass(frozen=True)
class Evaluation:
    """The users to rank for, and the songs to find."""

    types: Tensor
    """(users,): indices of user types"""
    tuning: HeldOut
    """validation songs, users known by their training songs: for tuning baselines"""
    warm: HeldOut
    """test songs of trained users"""
    cold: HeldOut | None
    """the songs of cold-start users that were not given"""
    fit: HeldOut
    """the songs learned from, nothing left out: for the metrics on the training data"""
    val: HeldOut
    """validation songs, of users represented as in the model"""


def make_evaluation(splits: pd.DataFrame, users: pd.DataFrame, songs: int, learned_splits: list[str]) -> Evaluation:
    """The users and songs of each side of the split; the model's graph has the rows of `learned_splits`."""
    part = {split: splits[splits["split"] == split] for split in definitions.SPLITS}
    pairs = {split: pairs_of(rows) for split, rows in part.items()}
    shape = (len(users), songs)
    learned = splits[splits["split"].isin(learned_splits)]
    graph, train_graph = graph_of(learned, shape), graph_of(part["train"], shape)
    known = pairs_of(splits[splits["split"].isin(["train", "val"])])
    cold = None
    if len(part["cold_target"]):
        given = fold_in(pairs["cold_given"], len(users), graph)
        cold = hold_out(given, hidden=pairs["cold_target"], known=pairs["cold_given"])
    return Evaluation(
        types=type_indices(users),
        tuning=hold_out(train_graph, hidden=pairs["val"], known=pairs["train"]),
        warm=hold_out(graph, hidden=pairs["test"], known=known),
        cold=cold,
        fit=hold_out(graph, hidden=pairs_of(learned), known=pairs_of(learned.iloc[:0])),
        val=hold_out(graph, hidden=pairs["val"], known=pairs["train"]),
    )


@dataclass(frozen=True)
class Lists:
    """A recommender's lists for the trained users and for the cold-start users."""

    warm: Ranking
    cold: Ranking | None


def model_explainers(
    model: GraphRecommender, data: Evaluation, blend: Blend | None
) -> tuple[SongExplainer, SongExplainer | None]:
    """The recommender over its graph, for trained and for cold-start users: its scores and its reasons."""
    device, plain = model.song.device, model.plain_songs()
    graph, types = data.warm.graph.to(device), data.types.to(device)
    songs = model.propagate(model.edge_weights(graph, plain), plain)
    warm = SongExplainer(model, graph, types, songs, plain, blend)
    if data.cold is None:
        return warm, None
    return warm, SongExplainer(model, data.cold.graph.to(device), types, songs, plain, blend)


def baseline_lists(
    data: Evaluation, params: Evaluate, seed: int
) -> tuple[dict[str, Lists], dict[str, dict[str, float]]]:
    """Each baseline's lists, fitted to the songs the model learned from, and the settings chosen on validation.

    In mode simple those are more than are tuned with: there a single setting is not fitted twice.
    """
    train, learned = matrix_of(data.tuning.graph), matrix_of(data.warm.graph)
    same = train.nnz == learned.nnz
    grids = baseline_grids(params.baselines, ease_items=params.baselines.ease_songs, val=data.tuning, seed=seed)
    options = {"places": PLACES, "block": params.block}
    lists, chosen = {}, {}
    for name, grid in grids.items():
        settings = list(grid)
        if len(settings) == 1 and not same and name != "lightgcn":  # whose epochs are tuned, too
            (own, fit), *_ = settings
            score = fit(learned)
        else:
            tuned = tune(iter(settings), train, data.tuning, block=params.block)
            score = tuned.score if same else tuned.fit(learned)
            own = tuned.settings | {"val_recall_at_10": tuned.validation_recall}
        cold = None
        if data.cold is not None:
            cold = rank_by(matrix_scorer(score, matrix_of(data.cold.graph)), data.cold, **options)
        lists[name] = Lists(rank_by(matrix_scorer(score, learned), data.warm, **options), cold)
        chosen[name] = own
    return lists, chosen


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    device = device_for(stage.runtime, params.threads)
    torch.set_grad_enabled(False)
    types = stage.read("split/user_types.parquet", UserTypes)
    users = stage.read("label/users.parquet", Users).merge(types, on="user_index", validate="one_to_one")
    songs = stage.read("label/songs.parquet", Songs)
    genres = stage.read("split/genres.parquet", Genres)
    splits = stage.read("split/splits.parquet", Splits)
    model = load_trained(GraphRecommender, stage.domain, device)
    data = make_evaluation(splits, users, len(songs), model.splits)
    options = {"places": PLACES, "block": params.block}

    blend = read_blend(model_folder(stage.domain), data.warm.graph)
    explainer, folded_in = model_explainers(model, data, blend)
    lists, chosen = baseline_lists(data, params, int(rng.integers(2**31)))
    cold = rank_by(folded_in.scores, data.cold, **options) if data.cold and folded_in else None
    lists["model"] = Lists(rank_by(explainer.scores, data.warm, **options), cold)
    if blend is not None:
        cold = rank_by(folded_in.network, data.cold, **options) if data.cold and folded_in else None
        lists["network"] = Lists(rank_by(explainer.network, data.warm, **options), cold)
    tastes = stage.read("ingest/tastes.parquet", Tastes)
    if len(tastes):
        truth = truth_scorer(tastes, stage.read("ingest/scenes.parquet", Scenes), users, songs)
        lists["truth"] = Lists(rank_by(truth, data.warm, **options), None)

    listeners, shares = data.warm.graph.popularity.numpy(), results.genre_shares(genres, len(songs))
    tables, extra = {}, {}
    for name, own in lists.items():
        parts = [results.per_user(name, own.warm, data.warm, users, listeners, shares, cold=False)]
        if own.cold is not None and data.cold is not None:
            parts.append(results.per_user(name, own.cold, data.cold, users, listeners, shares, cold=True))
        tables[name] = pd.concat(parts, ignore_index=True)
        extra[name] = {"coverage_score": coverage(own.warm, len(songs), definitions.LIST_LENGTH)}
    for split, held in (("train", data.fit), ("val", data.val)):
        found = rank_metrics(rank_by(explainer.scores, held, **options), definitions.CUTOFFS)
        extra["model"] |= {f"{split}_{name}": float(values.mean()) for name, values in found.items()}

    ranked = lists["model"].warm
    drawn = rng.permutation(len(ranked.users))[: params.explanation_checks]
    recommended = [(int(ranked.users[row]), int(ranked.lists[row, 0])) for row in drawn if ranked.lists[row, 0] >= 0]
    checks = check_first_reasons(explainer, recommended, rng)
    by_attention = check_first_reasons(explainer, recommended, rng, explainer.by_attention)

    stage.write("ranked.parquet", pd.concat(tables.values()), Ranked)
    stage.write("slices.parquet", results.slices(tables["model"]), Slices)
    shown = [exposure(name, own.warm, listeners, definitions.LIST_LENGTH) for name, own in lists.items()]
    stage.write("exposure.parquet", pd.concat(shown), Exposure)
    named = {"users": users, "songs": songs, "genres": genres}
    stage.write("reasons.parquet", explain(explainer, ranked, named, params, rng), Reasons)
    written = results.report(tables, extra, [check.holds for check in checks], params, rng)
    stage.metrics(**written.metrics)
    stage.judgement(
        {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "users_test": len(data.warm.users),
            "explanations": results.explanations(checks, by_attention),
            "baseline_settings": chosen,
            "filter_weight": 0.0 if blend is None else blend.weight,
            **written.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
