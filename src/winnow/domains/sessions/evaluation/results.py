"""What evaluate finds of the recommender: for each user, by slice, and beside the baselines."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.sessions import definitions
from winnow.domains.sessions.metrics import statistics
from winnow.domains.sessions.params import Evaluate
from winnow.judge.intervals import values
from winnow.judge.result import EvaluationResult, compare
from winnow.judge.slices import slice_metrics
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.lists import list_diversity
from winnow.recommend.metrics import of_checks, user_metrics
from winnow.recommend.ranking import Ranking

T = TypeVar("T")


def per_user(
    name: str,
    ranked: Ranking,
    held: EvaluationSet,
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


def explanations(checks: pd.DataFrame, by_attention: pd.DataFrame) -> dict[str, dict[str, float]]:
    """How often first reasons held, by kind, and by how much scores fell; beside the songs with most attention.

    The first reason has the largest effect by construction, so what attention ranks first is the measure for it.
    """
    parts = {kind: checks[checks["kind"] == kind] for kind in ("song", "genre")} | {"most_attention": by_attention}
    return {
        name: {"checked": len(own), "held": int((own["fall"] > own["other_fall"]).sum())}
        | ({"fall": float(own["fall"].mean()), "other": float(own["other_fall"].mean())} if len(own) else {})
        for name, own in parts.items()
    }


def result(
    tables: Mapping[str, pd.DataFrame],
    extra: Mapping[str, Mapping[str, float]],
    checks: pd.DataFrame,
    params: Evaluate,
    rng: np.random.Generator,
) -> EvaluationResult:
    """The model's metrics with intervals, with the baselines' and the references' over the same users.

    `tables` are `Ranked` rows and `extra` metrics that are no means over users, both by recommender; `checks` is
    `Checks`.
    """
    apart = _by_role(extra)
    found = EvaluationResult(apart["model"].get("model", {}), {}, apart["baseline"], apart["reference"])
    compared = params.gate.headline.removeprefix("cold_")
    for prefix in ("", "cold_"):
        part = {name: table[table["cold"] == bool(prefix)].reset_index(drop=True) for name, table in tables.items()}
        by_role = _by_role({name: statistics(own, prefix) for name, own in part.items() if len(own)})
        if by_role["model"]:
            own, rows, paired = by_role["model"]["model"], len(part["model"]), (f"{prefix}{compared}",)
            one = compare(own, by_role["baseline"], rows, params, rng, paired=paired)
            reference = {name: values(each, rows) for name, each in by_role["reference"].items()}
            found = found.joined(replace(one, reference=reference))
    return found.joined(of_checks(checks, params.bootstrap.confidence))


def _by_role(recommenders: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """Recommenders by what they are: the model, a baseline, or a reference."""
    roles: dict[str, dict[str, T]] = {"model": {}, "baseline": {}, "reference": {}}
    for name, each in recommenders.items():
        role = "model" if name == "model" else "reference" if name in definitions.REFERENCES else "baseline"
        roles[role][name] = each
    return roles
