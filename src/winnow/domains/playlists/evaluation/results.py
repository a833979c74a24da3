"""The metrics of a recommender: for each playlist, by length, and compared with the baselines."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.playlists import definitions
from winnow.domains.playlists.params import Evaluate
from winnow.judge.gates import EvaluationResult
from winnow.judge.intervals import bootstrap, wilson
from winnow.judge.report import Report, make_report
from winnow.judge.slices import slice_metrics
from winnow.measure.ranking import clicks, cutoff_metrics, r_precision
from winnow.recommend.held_out import HeldOut
from winnow.recommend.lists import distinct_groups
from winnow.recommend.metrics import mean_metrics, metric_statistics, paired_differences, user_metrics
from winnow.recommend.ranking import Ranking

CHALLENGE = ("r_precision", "seen_r_precision", "clicks")
"""Columns of `Ranked` that are metrics by the same name."""


def per_playlist(
    name: str, ranked: Ranking, held: HeldOut, popularity: NDArray[np.int64], artist: NDArray[np.int64]
) -> pd.DataFrame:
    """The `Ranked` rows of a recommender. `popularity` (tracks,) training playlists; `artist` (tracks,), -1: none."""
    known = np.diff(held.graph.indptr.numpy())[ranked.users]
    lists = ranked.lists[:, : definitions.LIST_LENGTH]
    seen = popularity > 0
    seen_held = np.array([int(seen[hidden].sum()) for hidden in held.hidden])
    about = pd.DataFrame(
        {
            "recommender": name,
            "playlist_index": ranked.users,
            "length": np.array(definitions.LENGTH_BINS)[np.digitize(known, definitions.LENGTH_EDGES, right=True)],
            "held_out": ranked.relevant,
            "held_out_seen": seen_held,
        }
    ).astype({"recommender": "str", "length": "str"})
    figures = user_metrics(
        ranked,
        popularity,
        distinct_groups(lists, artist),
        cutoffs=definitions.CUTOFFS,
        length=definitions.LIST_LENGTH,
    )
    figures["r_precision"] = r_precision(ranked.hits, ranked.relevant)
    figures["clicks"] = clicks(ranked.hits)
    hits = ranked.hits & seen[ranked.lists]
    of_seen = cutoff_metrics(hits, np.maximum(seen_held, 1), definitions.CUTOFFS)
    of_seen["r_precision"] = r_precision(hits, np.maximum(seen_held, 1))
    for metric, values in of_seen.items():
        figures[f"seen_{metric}"] = np.where(seen_held > 0, values, np.nan)
    return pd.concat([about, figures], axis=1)


def slices(table: pd.DataFrame) -> pd.DataFrame:
    """The model's figures by the number of known tracks of a playlist, where they are defined for one."""
    named = table.assign(length=pd.Categorical(table["length"], definitions.LENGTH_BINS))
    names = ("recall_at_10", "seen_recall_at_10", "ndcg_at_10", "r_precision", "clicks")
    metrics = {name: (lambda part, name=name: float(part[name].mean())) for name in names}
    return slice_metrics(named, ["length"], metrics).dropna(subset=["score"])


def figures(table: pd.DataFrame) -> dict[str, float]:
    """The mean of every metric over the playlists of a `Ranked` table of one recommender."""
    return mean_metrics(table, more=CHALLENGE)


def report(
    tables: dict[str, pd.DataFrame],
    extra: dict[str, dict[str, float]],
    reference: dict[str, dict[str, float]],
    checks: Sequence[bool],
    params: Evaluate,
    rng: np.random.Generator,
) -> Report:
    """The model's metrics with intervals, with the baselines' over the same playlists.

    `tables` are the `Ranked` rows by recommender, `extra` holds metrics that are no means over playlists; `checks` says
    whether each checked reason held.
    """
    options = params.bootstrap.model_dump()
    measured = {name: extra.get(name, {}) | figures(table) for name, table in tables.items()}
    measured["model"]["explanation_accuracy"] = sum(checks) / len(checks)
    own = metric_statistics(tables["model"], more=CHALLENGE)
    interval = bootstrap(own, len(tables["model"]), rng=rng, **options)
    interval["explanation_accuracy"] = wilson(sum(checks), len(checks), params.bootstrap.confidence)
    headline = params.gate.headline
    names = [headline, *({"recall_at_10", "seen_recall_at_10"} - {headline})]
    paired = {name: paired_differences(tables, name, rng, options) for name in sorted(names) if name in tables["model"]}
    baseline = {name: values for name, values in measured.items() if name != "model"}
    return make_report(params.gate, EvaluationResult(measured["model"], interval, baseline, reference, paired))
