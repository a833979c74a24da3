"""
Evaluate the generator: its perplexity on test routes, and the validity, novelty and grades of generated routes.

    dvc repro evaluate@climb
"""

from collections.abc import Container, Mapping
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch

from winnow.domains.climb.evaluation import baselines, moves, results
from winnow.domains.climb.evaluation.c2st import c2st
from winnow.domains.climb.evaluation.routes import (
    Collection,
    broken_rules,
    draw_conditions,
    generated_routes,
    judge_routes,
    peer_routes,
    real_routes,
    route_metrics,
    slice_routes,
)
from winnow.domains.climb.evaluation.usage import hold_usage, usage_divergence
from winnow.domains.climb.model.artifacts import Settings, read_artifacts
from winnow.domains.climb.model.generation import Limits, generate, make_decoding, make_limits
from winnow.domains.climb.model.grades import fit_judge
from winnow.domains.climb.model.likelihood import route_nll
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import conditions, encode
from winnow.domains.climb.params import Common, Evaluate
from winnow.domains.climb.tables import (
    HoldUsage,
    Judged,
    JudgedHolds,
    Labels,
    MoveDistances,
    MoveShares,
    PeerHolds,
    Predictions,
    Splits,
    Tokens,
)
from winnow.judge.files import evaluation_files
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for
from winnow.learn.folder import model_folder
from winnow.learn.trained import load_trained
from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage, run_stage

PEER_ANGLE = 40
"""Degrees; what the peers' routes are for."""


def write_routes(
    model: RouteTransformer,
    settings: Settings,
    test: pd.DataFrame,
    unreachable: Container[str],
    per_grade: int,
    rng: np.random.Generator,
) -> tuple[Collection, Collection]:
    """Generated routes for each grade of the test routes, as `winnow climb generate` makes them, and unconstrained.

    For conditions of test routes on boards that are not `unreachable`; raises WinnowError where all are.
    """
    limits, decoding = make_limits(model.known, settings.limits), make_decoding(settings.decoding)
    possible = ~test["board"].map(lambda board: board in unreachable)
    requested = draw_conditions(test[possible] if possible.any() else test, per_grade, rng)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    made, free = (
        generate(model, conditions(requested), limits, decoding, generator, constrained=constrained)
        for constrained in (True, False)
    )
    return generated_routes(requested, made, test), generated_routes(requested, free, test)


def boards_left_out(test: pd.DataFrame, limits: Limits) -> dict[str, str]:
    """Boards of test routes on which nothing can be generated, and why."""
    possible = limits.possible(torch.from_numpy(conditions(test)[:, 0])).numpy()
    left_out = sorted(set(test.loc[~possible, "board"]))
    return dict.fromkeys(left_out, "its training routes show too few holds for a route within climb.common's limits")


def left_out_lines(left_out: Mapping[str, str], unreachable: Container[str]) -> list[str]:
    """What is said of each board: of what it is left out, and why."""
    return [
        f"⚠ board {board}: no route is generated: {reason}"
        if board in unreachable
        else f"⚠ board {board}: the report has no classifier test of generated against real routes (C2ST): {reason}"
        for board, reason in left_out.items()
    ]


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    device = device_for(stage.runtime, params.threads)
    labels = stage.read("label/labels.parquet", Labels)
    tokens = stage.read("label/tokens.parquet", Tokens)
    split = labels["route_id"].map(stage.read("split/splits.parquet", Splits).set_index("route_id")["split"])
    peers = stage.read("ingest/peers.parquet", PeerHolds)
    train, val, test = (encode(labels[split == name], tokens) for name in ("train", "val", "test"))
    test_labels = labels[split == "test"].reset_index(drop=True)
    model = load_trained(RouteTransformer, stage.domain, device)
    judge = fit_judge(train, **params.grade_judge.model_dump(), seed=int(rng.integers(2**32)))

    nll = {f"nll_{name}": baselines.fit(name, train, val).route_nll(test) for name in baselines.NAMES}
    nll["nll"] = route_nll(model, test, params.batch_size).numpy()
    predicted = results.predictions(test_labels, test, nll, judge.grades(test))

    settings = read_artifacts(model_folder(stage.domain)).settings
    unreachable = boards_left_out(test_labels, make_limits(model.known, settings.limits))
    made, unconstrained = write_routes(model, settings, test_labels, unreachable, params.generation.per_grade, rng)
    origins = {"model": made, "test": real_routes(test_labels, test)}
    origins |= {str(peer): peer_routes(holds, PEER_ANGLE) for peer, holds in peers.groupby("peer")}
    judged = {
        name: judge_routes(name, routes, train=train, judge=judge, common=stage.common)
        for name, routes in origins.items()
    }
    usage = {name: (routes.sequences, routes.weights) for name, routes in origins.items()}
    known = (train, np.ones(len(train.ids)))
    measured = {
        name: route_metrics(judged[name], routes.sequences) | usage_divergence(usage[name], known)
        for name, routes in origins.items()
    }

    stage.write("predictions.parquet", predicted, Predictions)
    stage.write("slices.parquet", results.slice_perplexity(predicted), Slices)
    stage.write("judged.parquet", pd.concat(judged.values()), Judged)
    stage.write("judged_slices.parquet", slice_routes(judged["model"]), Slices)
    holds = [routes.holds.assign(origin=name) for name, routes in origins.items()]
    stage.write("judged_holds.parquet", pd.concat(holds), JudgedHolds)
    stage.write(
        "hold_usage.parquet", hold_usage({"train": known, "test": usage["test"], "model": usage["model"]}), HoldUsage
    )
    stage.write(
        "move_shares.parquet",
        moves.shares({"train": known, "test": usage["test"], "model": usage["model"]}),
        MoveShares,
    )
    valid = ~broken_rules(unconstrained, settings.limits).any(axis=1)
    unmeasured = results.why_unmeasured(train, measured["test"])
    free = int(valid.sum()), len(valid)
    found = results.result(predicted, judged, measured, free, unmeasured, params, rng)
    apart, too_few = c2st(made.sequences, made.weights, test, params.bootstrap, rng)
    far = moves.distances({"model": usage["model"], "train": known}, usage["test"], params.bootstrap, rng)
    stage.write("move_distances.parquet", far, MoveDistances)
    by_grade = moves.longest_by_grade(made.sequences, test, params.bootstrap, rng)
    left_out = too_few | unreachable
    if left_out:
        say(*left_out_lines(left_out, unreachable))
    files = evaluation_files(params.gate, found, embedded=stage.embedded)
    stage.metrics(**files.metrics)
    stage.judgement(
        {
            "rows_test": len(test_labels),
            "c2st": {board: asdict(each) for board, each in apart.items()},
            "distance_from_test_routes": moves.told(far),
            "longest_move_by_grade": by_grade,
            "boards_left_out": left_out,
            "unmeasured": unmeasured,
            **files.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
