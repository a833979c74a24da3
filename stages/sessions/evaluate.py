"""
Rank all songs for every test user, compare with tuned baselines, and check the explanations.

    dvc repro evaluate@sessions
"""

import pandas as pd
import torch

from winnow.domains.sessions import definitions
from winnow.domains.sessions.evaluation import results
from winnow.domains.sessions.evaluation.lists import PLACES, Lists, baseline_lists, make_evaluation, model_explainers
from winnow.domains.sessions.evaluation.truth import truth_scorer
from winnow.domains.sessions.model.artifacts import read_blend
from winnow.domains.sessions.model.explanations import explain
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.params import Common, Evaluate
from winnow.domains.sessions.tables import Genres, Ranked, Reasons, Scenes, Songs, Splits, Tastes, Users, UserTypes
from winnow.judge.files import evaluation_files
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for
from winnow.learn.folder import model_folder
from winnow.learn.trained import load_trained
from winnow.pipeline.stage import Stage, run_stage
from winnow.recommend.explanations import check_first_reasons
from winnow.recommend.lists import coverage, exposure
from winnow.recommend.ranking import rank_by, rank_metrics
from winnow.recommend.tables import Checks, Exposure


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
    stage.write("checks.parquet", checks, Checks)
    stage.write("reasons.parquet", explain(explainer, ranked, named, params, rng), Reasons)
    files = evaluation_files(params.gate, results.result(tables, extra, checks, params, rng), embedded=stage.embedded)
    stage.metrics(**files.metrics)
    stage.judgement(
        {
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "users_test": len(data.warm.users),
            "explanations": results.explanations(checks, by_attention),
            "baseline_settings": chosen,
            "filter_weight": 0.0 if blend is None else blend.weight,
            **files.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
