"""Judge the recommender: every song ranked for every user, beside tuned simple recommenders; its reasons checked."""

from dataclasses import dataclass

import pandas as pd
import torch

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model import judging
from winnow.domains.sessions.model.baselines import candidates, matrix_of, scorer, tune
from winnow.domains.sessions.model.explanations import Explainer, explain, first_reasons_hold
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.ranking import Ranking, Scorer, rank_by, rank_metrics
from winnow.domains.sessions.model.tensors import Held, graph_of, held_out, user_types
from winnow.domains.sessions.model.truth import truth_scorer
from winnow.domains.sessions.params import Common, Evaluate
from winnow.domains.sessions.tables import (
    Exposure,
    Genres,
    Ranked,
    Reasons,
    Scenes,
    Songs,
    Splits,
    Tastes,
    Users,
    UserTypes,
)
from winnow.judge.slices import Slices
from winnow.pipeline.stage import Stage, run_stage


@dataclass(frozen=True)
class Scene:
    """Who is to be found what."""

    tuning: Held
    """validation songs, known by the training songs: what baselines are tuned on"""
    warm: Held
    """test songs of trained users"""
    cold: Held | None
    """the songs of cold-start users that were not told"""
    fit: Held
    """the songs learnt from, known by nothing: how far the training data themselves are found"""
    val: Held
    """validation songs, as the model knows its users"""


def make_scene(splits: pd.DataFrame, users: pd.DataFrame, songs: int, sides: list[str]) -> Scene:
    """The users and songs of each side of the split; a model's graph has the rows of `sides` in it."""
    part = {side: splits[splits["split"] == side] for side in definitions.SIDES}
    shape, types = (len(users), songs), user_types(users)
    learnt = splits[splits["split"].isin(sides)]
    graph, first = graph_of(learnt, shape), graph_of(part["train"], shape)
    known = splits[splits["split"].isin(["train", "val"])]
    cold = None
    if len(part["cold_target"]):
        told = graph_of(part["cold_given"], shape, graph.listeners)
        cold = held_out(told, types, hidden=part["cold_target"], known=part["cold_given"])
    return Scene(
        tuning=held_out(first, types, hidden=part["val"], known=part["train"]),
        warm=held_out(graph, types, hidden=part["test"], known=known),
        cold=cold,
        fit=held_out(graph, types, hidden=learnt, known=learnt.iloc[:0]),
        val=held_out(graph, types, hidden=part["val"], known=part["train"]),
    )


@dataclass(frozen=True)
class Lists:
    """What a recommender makes of the trained users and of the cold-start users."""

    warm: Ranking
    cold: Ranking | None


def model_scorers(model: GraphRecommender, scene: Scene) -> tuple[Explainer, Scorer, Scorer | None]:
    """The network over its graph: how it explains, and how it scores trained and cold-start users."""
    plain = model.plain_songs()
    songs = model.walk(model.flow(scene.warm.graph, plain), plain)
    warm = Explainer(model, scene.warm.graph, scene.warm.types, songs, plain)
    bias = model.song_bias()

    def by(users: torch.Tensor) -> Scorer:
        turned = songs.T.contiguous()
        return lambda numbers: torch.addmm(bias, users[torch.from_numpy(numbers)], turned)

    if scene.cold is None:
        return warm, by(warm.users), None
    cold = Explainer(model, scene.cold.graph, scene.cold.types, songs, plain)
    return warm, by(warm.users), by(cold.users)


def baseline_lists(scene: Scene, params: Evaluate, seed: int) -> tuple[dict[str, Lists], dict[str, dict[str, float]]]:
    """Each baseline's lists, fitted to what the model learnt from, and the settings that validation chose."""
    train, learnt = matrix_of(scene.tuning.graph), matrix_of(scene.warm.graph)
    same = train.nnz == learnt.nnz
    lists, chosen = {}, {}
    for name, fits in candidates(params.baselines, seed, scene.tuning).items():
        tuned, fit = tune(fits, train, scene.tuning, params.block)
        score = tuned.score if same else fit(learnt)
        cold = None
        if scene.cold is not None:
            cold = rank_by(scorer(score, matrix_of(scene.cold.graph)), scene.cold, params.block)
        lists[name] = Lists(rank_by(scorer(score, learnt), scene.warm, params.block), cold)
        chosen[name] = tuned.settings | {"val_recall_at_10": tuned.validation_recall}
    return lists, chosen


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    torch.set_num_threads(params.threads)
    torch.set_grad_enabled(False)
    types = stage.read("split/user_types.parquet", UserTypes)
    users = stage.read("label/users.parquet", Users).merge(types, on="user_index", validate="one_to_one")
    songs = stage.read("label/songs.parquet", Songs)
    genres = stage.read("label/genres.parquet", Genres)
    splits = stage.read("split/splits.parquet", Splits)
    model = GraphRecommender.from_pretrained(stage.input("train/model"))
    scene = make_scene(splits, users, len(songs), model.sides)

    explainer, score_warm, score_cold = model_scorers(model, scene)
    lists, chosen = baseline_lists(scene, params, int(rng.integers(2**31)))
    cold = rank_by(score_cold, scene.cold, params.block) if scene.cold and score_cold else None
    lists["model"] = Lists(rank_by(score_warm, scene.warm, params.block), cold)
    tastes = stage.read("ingest/tastes.parquet", Tastes)
    if len(tastes):
        truth = truth_scorer(tastes, stage.read("ingest/scenes.parquet", Scenes), users, songs)
        by_truth = rank_metrics(rank_by(truth, scene.warm, params.block))
        stage.metrics(truth={name: float(values.mean()) for name, values in by_truth.items()})

    listeners, shares = scene.warm.graph.listeners.numpy(), judging.genre_shares(genres, len(songs))
    tables, extra = {}, {}
    for name, own in lists.items():
        parts = [judging.per_user(name, own.warm, scene.warm, users, listeners, shares, cold=False)]
        if own.cold is not None and scene.cold is not None:
            parts.append(judging.per_user(name, own.cold, scene.cold, users, listeners, shares, cold=True))
        tables[name] = pd.concat(parts, ignore_index=True)
        extra[name] = {"coverage_score": judging.coverage(own.warm, len(songs))}
    for side, held in (("train", scene.fit), ("val", scene.val)):
        found = rank_metrics(rank_by(score_warm, held, params.block))
        extra["model"] |= {f"{side}_{name}": float(values.mean()) for name, values in found.items()}

    ranked = lists["model"].warm
    drawn = rng.permutation(len(ranked.users))[: params.truth_checks]
    recommended = [(int(ranked.users[row]), int(ranked.lists[row, 0])) for row in drawn]
    checks = first_reasons_hold(model, explainer, recommended, rng)
    extra["model"]["explanation_accuracy"] = sum(held for _, held in checks) / len(checks)
    by_kind = {kind: [held for first, held in checks if first == kind] for kind in ("song", "genre")}

    stage.write("ranked.parquet", pd.concat(tables.values()), Ranked)
    stage.write("slices.parquet", judging.slices(tables["model"]), Slices)
    stage.write(
        "exposure.parquet", pd.concat(judging.exposure(n, o.warm, listeners) for n, o in lists.items()), Exposure
    )
    named = {"users": users, "songs": songs, "genres": genres}
    stage.write("reasons.parquet", explain(explainer, ranked, named, params, rng), Reasons)
    stage.metrics(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        users_test=len(scene.warm.users),
        explanations={kind: {"checked": len(held), "held": sum(held)} for kind, held in by_kind.items()},
        baseline_settings=chosen,
        **judging.report(tables, extra, params, rng),
    )


if __name__ == "__main__":
    run_stage(main)
