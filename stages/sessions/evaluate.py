"""Judge the recommender: every song ranked for every user, beside tuned simple recommenders; its reasons checked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from winnow.domains.sessions import nouns
from winnow.domains.sessions.model import judging
from winnow.domains.sessions.model.baselines import candidates, matrix_of, scorer, tune
from winnow.domains.sessions.model.explanations import Explainer, first_reasons_hold
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
from winnow.judge.intervals import bootstrap
from winnow.judge.report import verdict_report
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
    part = {side: splits[splits["split"] == side] for side in nouns.SIDES}
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


def explain(
    explainer: Explainer, ranked: Ranking, tables: dict[str, pd.DataFrame], params: Evaluate, rng: np.random.Generator
) -> pd.DataFrame:
    """The columns of `Reasons`, for some users drawn at random."""
    users, songs = tables["users"], tables["songs"]
    genre_names = tables["genres"].drop_duplicates("genre_index").set_index("genre_index")["genre"]
    rows = []
    for place in np.sort(rng.permutation(len(ranked.users))[: params.explained_users]):
        user = int(ranked.users[place])
        for position, song in enumerate(ranked.lists[place][: params.explained_songs].tolist(), 1):
            bias = float(explainer.model.song_bias()[song])
            score = float(explainer.users[user] @ explainer.songs[song]) + bias
            for reason in explainer.reasons(user, song)[: params.reasons]:
                told = songs["title"].iloc[reason.index] if reason.kind == "song" else genre_names[reason.index]
                rows.append(
                    {
                        "user": users["user"].iloc[user],
                        "user_type": users["user_type"].iloc[user],
                        "place": position,
                        "song": songs["song"].iloc[song],
                        "title": songs["title"].iloc[song],
                        "found": bool(ranked.hits[place, position - 1]),
                        "score": score,
                        "kind": reason.kind,
                        "reason": told,
                        "effect": reason.effect,
                    }
                )
    texts = ("user", "user_type", "song", "title", "kind", "reason")
    return pd.DataFrame(rows).astype(dict.fromkeys(texts, "str"))


def genre_shares(genres: pd.DataFrame, songs: int) -> NDArray[np.float32]:
    """(songs, genres)."""
    shares = np.zeros((songs, int(genres["genre_index"].max()) + 1 if len(genres) else 0), dtype=np.float32)
    shares[genres["song_index"], genres["genre_index"]] = genres["share"]
    return shares


def report(
    tables: dict[str, pd.DataFrame], extra: dict[str, dict[str, float]], params: Evaluate, rng: np.random.Generator
) -> dict[str, Any]:
    """evaluate.json: the model's figures with intervals, and every baseline's beside them."""
    options = params.bootstrap.model_dump()
    figures = {name: dict(values) for name, values in extra.items()}
    warm = {name: table[~table["cold"]].reset_index(drop=True) for name, table in tables.items()}
    cold = {name: table[table["cold"]].reset_index(drop=True) for name, table in tables.items()}
    for name in tables:
        figures[name] |= judging.means(warm[name])
        if len(cold[name]):
            figures[name] |= judging.means(cold[name], "cold_")
    interval = bootstrap(judging.statistics(warm["model"]), len(warm["model"]), rng=rng, **options)
    difference = {"recall_at_10": judging.differences(warm, rng, **options)}
    if len(cold["model"]):
        interval |= bootstrap(judging.statistics(cold["model"], "cold_"), len(cold["model"]), rng=rng, **options)
        difference["cold_recall_at_10"] = judging.differences(cold, rng, **options)
    told = {
        metric: {f"model_minus_{name}": vars(bounds) for name, bounds in found.items()}
        for metric, found in difference.items()
    }
    baselines = {name: values for name, values in figures.items() if name != "model"}
    return verdict_report(params.gate, figures["model"], interval, baselines) | {"difference": told}


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

    listeners, shares = scene.warm.graph.listeners.numpy(), genre_shares(genres, len(songs))
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
        **report(tables, extra, params, rng),
    )


if __name__ == "__main__":
    run_stage(main)
