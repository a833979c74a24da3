"""
Evaluate the generator: its perplexity on test routes, and the validity, novelty and grades of generated routes.

    dvc repro evaluate@climb
"""

import sys
from dataclasses import asdict

import numpy as np
import pandas as pd
import torch

from winnow.domains.climb.evaluation import baselines
from winnow.domains.climb.evaluation.c2st import c2st
from winnow.domains.climb.evaluation.perplexity import (
    perplexity_metrics,
    perplexity_reduction,
    perplexity_statistics,
    predictions,
    reduction_statistic,
    slice_perplexity,
)
from winnow.domains.climb.evaluation.routes import (
    Collection,
    broken_rules,
    draw_conditions,
    generated_routes,
    judge_routes,
    peer_routes,
    proportions,
    real_routes,
    route_metrics,
    route_statistics,
    slice_routes,
)
from winnow.domains.climb.evaluation.usage import hold_usage, usage_divergence
from winnow.domains.climb.model.artifacts import Settings, read_artifacts
from winnow.domains.climb.model.generation import generate, make_decoding, make_limits
from winnow.domains.climb.model.grades import can_judge, fit_judge
from winnow.domains.climb.model.likelihood import route_nll
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import Sequences, conditions, encode
from winnow.domains.climb.params import Common, Evaluate
from winnow.domains.climb.tables import HoldUsage, Judged, JudgedHolds, Labels, PeerHolds, Predictions, Splits, Tokens
from winnow.judge.gates import EvaluationResult
from winnow.judge.intervals import Interval, bootstrap, bootstrap_ratio, difference, wilson
from winnow.judge.report import Report, make_report
from winnow.judge.slices import Slices
from winnow.learn.devices import device_for
from winnow.learn.trained import load_trained, model_folder
from winnow.pipeline.stage import Stage, run_stage

AGREEMENT = "grade_agreement_score"
PEER_ANGLE = 40
"""Degrees; what the peers' routes are for."""


def write_routes(
    model: RouteTransformer, settings: Settings, test: pd.DataFrame, per_grade: int, rng: np.random.Generator
) -> tuple[Collection, Collection]:
    """Generated routes for each grade of the test routes, as `winnow climb generate` makes them, and unconstrained.

    For conditions of test routes on boards where the limits leave a way to the top; raises WinnowError where none does.
    """
    limits, decoding = make_limits(model.known, settings.limits), make_decoding(settings.decoding)
    possible = limits.possible(torch.from_numpy(conditions(test)[:, 0])).numpy()
    requested = draw_conditions(test[possible] if possible.any() else test, per_grade, rng)
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    made, free = (
        generate(model, conditions(requested), limits, decoding, generator, constrained=constrained)
        for constrained in (True, False)
    )
    return generated_routes(requested, made, test), generated_routes(requested, free, test)


def boards_left_out(test: pd.DataFrame, generated: pd.DataFrame) -> dict[str, str]:
    """Boards of test routes on which nothing could be generated, and why."""
    left_out = sorted(set(test["board"]) - set(generated["board"]))
    return dict.fromkeys(left_out, "its training routes show too few holds for a route within climb.common's limits")


def report(
    predicted: pd.DataFrame,
    judged: dict[str, pd.DataFrame],
    measured: dict[str, dict[str, float]],
    free: tuple[int, int],
    unmeasured: dict[str, str],
    params: Evaluate,
    rng: np.random.Generator,
) -> Report:
    """The model's metrics with their intervals, and those of the n-gram models, real routes and peers.

    `free` counts valid routes, and all, of those generated without constraints; `unmeasured` says why some metrics have
    no meaning here.
    """
    options = params.bootstrap.model_dump()
    confidence = params.bootstrap.confidence
    own, real = measured["model"], measured["test"]
    metrics = perplexity_metrics(predicted) | {"perplexity_reduction_score": perplexity_reduction(predicted)} | own
    metrics["unconstrained_validity_score"] = free[0] / free[1]
    model_statistics, test_statistics = (route_statistics(judged[name]) for name in ("model", "test"))
    interval = bootstrap(
        perplexity_statistics(predicted) | {"perplexity_reduction_score": reduction_statistic(predicted)},
        len(predicted),
        rng=rng,
        groups=predicted["hold_set"],
        **options,
    )
    interval |= bootstrap(model_statistics, len(judged["model"]), rng=rng, **options)
    shares = proportions(judged["model"]) | {"unconstrained_validity_score": free}
    interval |= {name: wilson(*counts, confidence) for name, counts in shares.items()}
    if AGREEMENT not in unmeasured:
        name, rows = "grade_within_one_accuracy", (len(judged["model"]), len(judged["test"]))
        metrics[AGREEMENT] = own[name] / real[name]
        interval[AGREEMENT] = bootstrap_ratio(model_statistics[name], test_statistics[name], rows, rng=rng, **options)
    peers = {f"peer_{name}": values for name, values in measured.items() if name not in {"model", "test"}}
    found = EvaluationResult(
        metrics,
        interval,
        baseline={str(name): perplexity_metrics(predicted, f"nll_{name}") for name in baselines.NAMES},
        reference={"real_test_routes": real, **peers},
        difference={params.gate.headline: paired_differences(predicted, params, rng)},
        unmeasured=unmeasured,
    )
    return make_report(params.gate, found)


def why_unmeasured(train: Sequences, real: dict[str, float]) -> dict[str, str]:
    """Metrics that cannot be measured on these routes, and why."""
    if not can_judge(train):
        return {AGREEMENT: "the training routes are too few, or of one grade alone, to tell grades apart"}
    if not real["grade_within_one_accuracy"]:
        return {AGREEMENT: "the judge is right within a grade on no real test route"}
    return {}


def paired_differences(predicted: pd.DataFrame, params: Evaluate, rng: np.random.Generator) -> dict[str, Interval]:
    """The interval of the model's headline metric less each n-gram model's, over the same routes."""
    headline, own = params.gate.headline, perplexity_statistics(predicted)
    if headline not in own:
        return {}
    apart = {
        str(name): difference(own[headline], perplexity_statistics(predicted, f"nll_{name}")[headline])
        for name in baselines.NAMES
    }
    return bootstrap(apart, len(predicted), rng=rng, groups=predicted["hold_set"], **params.bootstrap.model_dump())


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
    predicted = predictions(test_labels, test, nll, judge.grades(test))

    settings = read_artifacts(model_folder(stage.domain)).settings
    made, unconstrained = write_routes(model, settings, test_labels, params.generation.per_grade, rng)
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
    stage.write("slices.parquet", slice_perplexity(predicted), Slices)
    stage.write("judged.parquet", pd.concat(judged.values()), Judged)
    stage.write("judged_slices.parquet", slice_routes(judged["model"]), Slices)
    holds = [routes.holds.assign(origin=name) for name, routes in origins.items()]
    stage.write("judged_holds.parquet", pd.concat(holds), JudgedHolds)
    stage.write(
        "hold_usage.parquet", hold_usage({"train": known, "test": usage["test"], "model": usage["model"]}), HoldUsage
    )
    valid = ~broken_rules(unconstrained, settings.limits).any(axis=1)
    unmeasured = why_unmeasured(train, measured["test"])
    written = report(predicted, judged, measured, (int(valid.sum()), len(valid)), unmeasured, params, rng)
    apart, too_few = c2st(made.sequences, made.weights, test, params.bootstrap, rng)
    left_out = too_few | boards_left_out(test_labels, made.routes)
    if left_out:
        print("\n".join(f"⚠ board {board}: {reason}" for board, reason in left_out.items()), file=sys.stderr)
    stage.metrics(**written.metrics)
    stage.judgement(
        {
            "rows_test": len(test_labels),
            "told_apart": {board: asdict(found) for board, found in apart.items()},
            "boards_left_out": left_out,
            "unmeasured": unmeasured,
            **written.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
