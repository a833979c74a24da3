"""The metrics of a recommender: for each user, by slice, and compared with the baselines."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.sessions import definitions
from winnow.domains.sessions.params import Evaluate
from winnow.judge.gates import EvaluationResult
from winnow.judge.intervals import Interval, bootstrap, wilson
from winnow.judge.report import Report, make_report
from winnow.judge.slices import slice_metrics
from winnow.recommend.explanations import Check
from winnow.recommend.held_out import HeldOut
from winnow.recommend.lists import list_diversity
from winnow.recommend.metrics import mean_metrics, metric_statistics, paired_differences, user_metrics
from winnow.recommend.ranking import Ranking


def per_user(
    name: str,
    ranked: Ranking,
    held: HeldOut,
    users: pd.DataFrame,
    listeners: NDArray[np.int64],
    genres: NDArray[np.float32],
    *,
    cold: bool,
) -> pd.DataFrame:
    """The `Ranked` rows of a recommender. `listeners` (songs,), `genres` (songs, genres) shares."""
    history = np.diff(held.graph.indptr.numpy())[ranked.users]
    known = pd.DataFrame(
        {
            "recommender": name,
            "user_index": ranked.users,
            "cold": cold,
            "user_type": users["user_type"].to_numpy()[ranked.users],
            "history": np.array(definitions.HISTORY_BINS)[np.digitize(history, definitions.HISTORY_EDGES, right=True)],
            "held_out": ranked.relevant,
        }
    ).astype({"recommender": "str", "user_type": "str", "history": "str"})
    diversity = list_diversity(ranked.lists[:, : definitions.LIST_LENGTH], genres)
    metrics = user_metrics(ranked, listeners, diversity, cutoffs=definitions.CUTOFFS, length=definitions.LIST_LENGTH)
    return pd.concat([known, metrics], axis=1)


def slices(table: pd.DataFrame) -> pd.DataFrame:
    """The model's figures by user type and history length of trained users, and for cold-start users."""
    trained = ~table["cold"]
    named = table.assign(
        user_type=pd.Categorical(table["user_type"].where(trained), definitions.USER_TYPES),
        history=pd.Categorical(table["history"].where(trained), definitions.HISTORY_BINS),
        cold_start=np.where(table["cold"], "cold-start", "known"),
    )
    metrics = {name: (lambda part, name=name: float(part[name].mean())) for name in ("recall_at_10", "ndcg_at_10")}
    return slice_metrics(named, ["user_type", "history", "cold_start"], metrics)


def genre_shares(genres: pd.DataFrame, songs: int) -> NDArray[np.float32]:
    """(songs, genres)."""
    shares = np.zeros((songs, int(genres["genre_index"].max()) + 1 if len(genres) else 0), dtype=np.float32)
    shares[genres["song_index"], genres["genre_index"]] = genres["share"]
    return shares


def explanations(checks: Sequence[Check], by_attention: Sequence[Check]) -> dict[str, dict[str, float]]:
    """How often first reasons held, by kind, and by how much scores fell; beside the songs with most attention.

    The first reason has the largest effect by construction, so what attention ranks first is the measure for it.
    """
    parts = {kind: [check for check in checks if check.kind == kind] for kind in ("song", "genre")}
    parts["most_attention"] = list(by_attention)
    return {
        name: {"checked": len(own), "held": sum(check.holds for check in own)} | _falls(own)
        for name, own in parts.items()
    }


def _falls(checks: Sequence[Check]) -> dict[str, float]:
    """The mean fall of the scores without the first reason, and without another one."""
    if not checks:
        return {}
    return {
        "fall": float(np.mean([check.fall for check in checks])),
        "other": float(np.mean([check.other for check in checks])),
    }


def report(
    tables: dict[str, pd.DataFrame],
    extra: dict[str, dict[str, float]],
    checks: Sequence[bool],
    params: Evaluate,
    rng: np.random.Generator,
) -> Report:
    """The model's metrics with intervals, with the baselines' and the references' over the same users.

    `extra` holds metrics that are no means over users, by recommender; `checks` whether each checked reason held.
    Without any check, as where no user has two reasons, there is no `explanation_accuracy`.
    """
    options = params.bootstrap.model_dump()
    figures = {name: dict(values) for name, values in extra.items()}
    interval: dict[str, Interval] = {}
    if checks:
        figures["model"]["explanation_accuracy"] = sum(checks) / len(checks)
        interval["explanation_accuracy"] = wilson(sum(checks), len(checks), params.bootstrap.confidence)
    compared = params.gate.headline.removeprefix("cold_")
    paired: dict[str, dict[str, Interval]] = {}
    for prefix in ("", "cold_"):
        part = {name: table[table["cold"] == bool(prefix)].reset_index(drop=True) for name, table in tables.items()}
        part = {name: table for name, table in part.items() if len(table)}
        if "model" not in part:
            continue
        for name, table in part.items():
            figures[name] |= mean_metrics(table, prefix)
        own = metric_statistics(part["model"], prefix)
        interval |= bootstrap(own, len(part["model"]), rng=rng, **options)
        if compared in part["model"]:
            rivals = {name: table for name, table in part.items() if name not in definitions.REFERENCES}
            paired[f"{prefix}{compared}"] = paired_differences(rivals, compared, rng, options)
    reference = {name: figures[name] for name in definitions.REFERENCES if name in figures}
    baseline = {name: values for name, values in figures.items() if name != "model" and name not in reference}
    return make_report(params.gate, EvaluationResult(figures["model"], interval, baseline, reference, paired))
