"""What evaluate finds of the completer: for each playlist, by length, and beside the baselines."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.playlists import definitions
from winnow.domains.playlists.metrics import statistics
from winnow.domains.playlists.params import Evaluate
from winnow.judge.intervals import values
from winnow.judge.result import EvaluationResult, compare
from winnow.judge.slices import slice_metrics
from winnow.measure.ranking import clicks, cutoff_metrics, ndcg_at, r_precision
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.lists import challenge_r_precision, distinct_groups
from winnow.recommend.metrics import of_checks, user_metrics
from winnow.recommend.ranking import Ranking


def per_playlist(
    name: str, ranked: Ranking, held: EvaluationSet, popularity: NDArray[np.int64], artist: NDArray[np.int64]
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
        ranked, popularity, distinct_groups(lists, artist), cutoffs=definitions.CUTOFFS, length=definitions.LIST_LENGTH
    )
    figures["r_precision"] = r_precision(ranked.hits, ranked.relevant)
    figures["challenge_r_precision"] = challenge_r_precision(ranked.lists, held.hidden, artist)
    figures["ndcg_at_500"] = ndcg_at(ranked.hits, ranked.relevant, definitions.PLACES)
    figures["clicks"] = clicks(ranked.hits)
    hits = ranked.hits & seen[ranked.lists]
    of_seen = cutoff_metrics(hits, np.maximum(seen_held, 1), definitions.CUTOFFS)
    of_seen["r_precision"] = r_precision(hits, np.maximum(seen_held, 1))
    for metric, each in of_seen.items():
        figures[f"seen_{metric}"] = np.where(seen_held > 0, each, np.nan)
    return pd.concat([about, figures], axis=1)


def slices(table: pd.DataFrame) -> pd.DataFrame:
    """The model's figures by the number of known tracks of a playlist, where they are defined for one."""
    named = table.assign(length=pd.Categorical(table["length"], definitions.LENGTH_BINS))
    names = ("recall_at_10", "seen_recall_at_10", "ndcg_at_10", "r_precision", "clicks")
    metrics = {name: (lambda part, name=name: float(part[name].mean())) for name in names}
    return slice_metrics(named, ["length"], metrics).dropna(subset=["score"])


def result(
    tables: Mapping[str, pd.DataFrame],
    extra: Mapping[str, Mapping[str, float]],
    reference: Mapping[str, pd.DataFrame],
    checks: pd.DataFrame,
    params: Evaluate,
    rng: np.random.Generator,
) -> EvaluationResult:
    """The model's metrics with intervals, with the baselines' over the same playlists.

    `tables` and `reference` are `Ranked` rows, and `extra` metrics that are no means over playlists, by recommender;
    `checks` is `Checks`.
    """
    rivals = {name: statistics(table) for name, table in tables.items()}
    own, rows = rivals.pop("model"), len(tables["model"])
    found = compare(own, rivals, rows, params, rng, paired=("recall_at_10", "seen_recall_at_10"))
    more = {name: values(statistics(table), len(table)) for name, table in reference.items()}
    others = {name: each for name, each in extra.items() if name != "model"}
    found = found.joined(EvaluationResult(extra["model"], {}, others, more))
    return found.joined(of_checks(checks, params.bootstrap.confidence))
