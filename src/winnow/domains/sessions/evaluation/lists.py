"""The ranked lists that evaluate judges: whom to rank for, and by which recommenders."""

from dataclasses import dataclass

import pandas as pd
from torch import Tensor

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.explanations import SongExplainer
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.tensors import graph_of, pairs_of, type_indices
from winnow.domains.sessions.params import Evaluate
from winnow.pipeline.console import doing
from winnow.recommend.baselines import matrix_scorer
from winnow.recommend.evaluation_set import EvaluationSet, evaluation_set
from winnow.recommend.filters import Blend
from winnow.recommend.graph import fold_in, matrix_of
from winnow.recommend.ranking import Ranking, rank_by
from winnow.recommend.tuning import baseline_grids, tune

PLACES = max(definitions.CUTOFFS)


@dataclass(frozen=True)
class Evaluation:
    """The users to rank for, and the songs to find."""

    types: Tensor
    """(users,): indices of user types"""
    tuning: EvaluationSet
    """validation songs, users known by their training songs: for tuning baselines"""
    warm: EvaluationSet
    """test songs of trained users"""
    cold: EvaluationSet | None
    """the songs of cold-start users that were not given"""
    fit: EvaluationSet
    """the songs learned from, nothing left out: for the metrics on the training data"""
    val: EvaluationSet
    """validation songs, of users represented as in the model"""


def make_evaluation(splits: pd.DataFrame, users: pd.DataFrame, songs: int, learned_splits: list[str]) -> Evaluation:
    """The users and songs of each split; the model's graph has the rows of `learned_splits`."""
    part = {split: splits[splits["split"] == split] for split in definitions.SPLITS}
    pairs = {split: pairs_of(rows) for split, rows in part.items()}
    shape = (len(users), songs)
    learned = splits[splits["split"].isin(learned_splits)]
    graph, train_graph = graph_of(learned, shape), graph_of(part["train"], shape)
    known = pairs_of(splits[splits["split"].isin(["train", "val"])])
    cold = None
    if len(part["cold_target"]):
        given = fold_in(pairs["cold_given"], len(users), graph)
        cold = evaluation_set(given, hidden=pairs["cold_target"], known=pairs["cold_given"])
    return Evaluation(
        types=type_indices(users),
        tuning=evaluation_set(train_graph, hidden=pairs["val"], known=pairs["train"]),
        warm=evaluation_set(graph, hidden=pairs["test"], known=known),
        cold=cold,
        fit=evaluation_set(graph, hidden=pairs_of(learned), known=pairs_of(learned.iloc[:0])),
        val=evaluation_set(graph, hidden=pairs["val"], known=pairs["train"]),
    )


@dataclass(frozen=True)
class Lists:
    """A recommender's lists for the trained users and for the cold-start users."""

    warm: Ranking
    cold: Ranking | None


def model_explainers(
    model: GraphRecommender, data: Evaluation, blend: Blend | None
) -> tuple[SongExplainer, SongExplainer | None]:
    """The recommender over its graph, for trained and for cold-start users: its scores and its reasons."""
    device, plain = model.song.device, model.plain_songs()
    graph, types = data.warm.graph.to(device), data.types.to(device)
    songs = model.propagate(model.edge_weights(graph, plain), plain)
    warm = SongExplainer(model, graph, types, songs, plain, blend)
    if data.cold is None:
        return warm, None
    return warm, SongExplainer(model, data.cold.graph.to(device), types, songs, plain, blend)


def baseline_lists(
    data: Evaluation, params: Evaluate, seed: int
) -> tuple[dict[str, Lists], dict[str, dict[str, float]]]:
    """Each baseline's lists, fitted to the songs the model learned from, and the settings chosen on validation.

    In mode simple those are more than are tuned with: there a single setting is not fitted twice.
    """
    train, learned = matrix_of(data.tuning.graph), matrix_of(data.warm.graph)
    same = train.nnz == learned.nnz
    grids = baseline_grids(params.baselines, ease_items=params.baselines.ease_songs, val=data.tuning, seed=seed)
    options = {"places": PLACES, "block": params.block}
    lists, chosen = {}, {}
    for number, (name, grid) in enumerate(grids.items(), 1):
        doing(f"tuning baseline {number} of {len(grids)}: {name}")
        settings = list(grid)
        if len(settings) == 1 and not same and name != "lightgcn":  # whose epochs are tuned, too
            (own, fit), *_ = settings
            score = fit(learned)
        else:
            tuned = tune(iter(settings), train, data.tuning, block=params.block)
            score = tuned.score if same else tuned.fit(learned)
            own = tuned.settings | {"val_recall_at_10": tuned.validation_recall}
        cold = None
        if data.cold is not None:
            cold = rank_by(matrix_scorer(score, matrix_of(data.cold.graph)), data.cold, **options)
        lists[name] = Lists(rank_by(matrix_scorer(score, learned), data.warm, **options), cold)
        chosen[name] = own
    return lists, chosen
