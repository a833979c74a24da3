"""What evaluate finds of the generator: the table of predictions, and the metrics beside those of the baselines."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.evaluation import baselines
from winnow.domains.climb.evaluation.routes import proportions
from winnow.domains.climb.metrics import model_statistics, perplexity_statistics, route_statistics
from winnow.domains.climb.model.grades import can_judge
from winnow.domains.climb.model.sequences import Integers, Sequences
from winnow.domains.climb.params import Evaluate
from winnow.judge.intervals import bootstrap, bootstrap_ratio, wilson
from winnow.judge.result import EvaluationResult, compare
from winnow.judge.slices import Metric, slice_metrics
from winnow.measure.likelihood import perplexity

AGREEMENT = "grade_agreement_score"


def predictions(
    labels: pd.DataFrame, sequences: Sequences, nll: Mapping[str, NDArray[np.float64]], judged: Integers
) -> pd.DataFrame:
    """The `Predictions` table of routes in a `Labels` table and in `sequences` alike.

    `nll` has what goes into the columns nll, nll_uniform, …, each (routes,); `judged` is (routes,) grade indices.
    """
    columns = ["route_id", "hold_set", "board", "angle", "grade", "quality", "in_full", "in_quality"]
    grades = pd.Series(np.array(definitions.GRADES)[judged], index=labels.index, dtype="str")
    return labels[columns].assign(tokens=sequences.lengths, **dict(sorted(nll.items())), judged_grade=grades)


def result(
    predicted: pd.DataFrame,
    judged: Mapping[str, pd.DataFrame],
    measured: Mapping[str, Mapping[str, float]],
    free: tuple[int, int],
    unmeasured: Mapping[str, str],
    params: Evaluate,
    rng: np.random.Generator,
) -> EvaluationResult:
    """The model's metrics with their intervals, and those of the n-gram models, real routes and peers.

    `judged` and `measured` are `Judged` routes and their metrics by origin. `free` counts valid routes, and all, of
    those generated without constraints; `unmeasured` says why some metrics have no meaning here.
    """
    options = params.bootstrap.model_dump()
    rivals = {str(name): perplexity_statistics(predicted, f"nll_{name}") for name in baselines.NAMES}
    groups = predicted["hold_set"]
    found = compare(model_statistics(predicted), rivals, len(predicted), params, rng, groups=groups)
    of_model, of_test = (route_statistics(judged[name]) for name in ("model", "test"))
    interval = bootstrap(of_model, len(judged["model"]), rng=rng, **options)
    shares = proportions(judged["model"]) | {"unconstrained_validity_score": free}
    interval |= {name: wilson(*counts, params.bootstrap.confidence) for name, counts in shares.items()}
    metrics = {**measured["model"], "unconstrained_validity_score": free[0] / free[1]}
    if AGREEMENT not in unmeasured:
        name, rows = "grade_within_one_accuracy", (len(judged["model"]), len(judged["test"]))
        metrics[AGREEMENT] = measured["model"][name] / measured["test"][name]
        interval[AGREEMENT] = bootstrap_ratio(of_model[name], of_test[name], rows, rng=rng, **options)
    peers = {f"peer_{name}": each for name, each in measured.items() if name not in {"model", "test"}}
    references = {"real_test_routes": measured["test"], **peers}
    return replace(found.adding(metrics, interval), reference=references, unmeasured=unmeasured)


def why_unmeasured(train: Sequences, real: dict[str, float]) -> dict[str, str]:
    """Metrics that cannot be measured on these routes, and why."""
    if not can_judge(train):
        return {AGREEMENT: "the training routes are too few, or of one grade alone, to tell grades apart"}
    if not real["grade_within_one_accuracy"]:
        return {AGREEMENT: "the judge is right within a grade on no real test route"}
    return {}


def slice_perplexity(routes: pd.DataFrame) -> pd.DataFrame:
    """The `Slices` of `Predictions`: perplexity by grade, quality bin, board and angle, with `grade_bigram`'s."""
    metrics: dict[str, Metric] = {
        "perplexity": lambda part: perplexity(part["nll"], part["tokens"]),
        "bigram_perplexity": lambda part: perplexity(part["nll_grade_bigram"], part["tokens"]),
    }
    return slice_metrics(routes, ["grade", "quality", "board", "angle"], metrics)
