"""The baselines, each tuned on validation, and their lists for the test playlists."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.playlists.evaluation.rivals import About, Fitted, item_knn, sequential_rules, stan
from winnow.domains.playlists.evaluation.sasrec import fit_sasrec
from winnow.domains.playlists.model.sequences import Sequences, sequences_of
from winnow.domains.playlists.model.training import playlists_to_rank
from winnow.domains.playlists.params import Baselines
from winnow.measure.ranking import recall_at
from winnow.pipeline.console import doing
from winnow.recommend.baselines import fit_group_popularity, matrix_scorer
from winnow.recommend.cooccurrence import SimilarItems, common_lists, near_pairs
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.graph import Matrix
from winnow.recommend.ranking import Ranking, Scorer, rank_by
from winnow.recommend.tuning import TUNED_AT, Grid, at_edge, grid_values, linear_grids, stepwise

Settings = Mapping[str, float]
KNN = {
    "item_knn": ("neighbours", "shrink"),
    "item_knn_artist": ("neighbours", "shrink", "artist_weight"),
    "item_knn_recency": ("decay", "floor", "neighbours", "shrink"),
    "item_knn_recency_artist": ("decay", "floor", "neighbours", "shrink", "artist_weight"),
    "item_knn_ordered": ("decay", "floor", "artist_weight", "genre_weight", "distance", "shrink", "neighbours"),
}
"""What each item-kNN is tuned in, in this order; `item_knn_ordered` knows all that the model is told."""


@dataclass(frozen=True)
class Given:
    """The input of the recommenders, and the held-out tracks to find."""

    train: Sequences
    """the training tracks of all playlists, to which everything is fitted"""
    known: Sequences
    """the tracks before the test tracks: training and validation"""
    tuning: EvaluationSet
    """validation tracks, of the playlists on which settings are chosen"""
    val: EvaluationSet
    """validation tracks, of as many playlists as are tested on"""
    test: EvaluationSet


def give(splits: pd.DataFrame, shape: tuple[int, int], *, tuned_on: int, tested_on: int) -> Given:
    """From `Splits`; `shape` is (playlists, tracks), and so many playlists are tuned and tested on, at most."""
    before = splits[splits["split"].isin(["train", "val"])]
    return Given(
        sequences_of(before[before["split"] == "train"], *shape),
        sequences_of(before, *shape),
        playlists_to_rank(splits, shape, "val", ["train"], tuned_on),
        playlists_to_rank(splits, shape, "val", ["train"], tested_on),
        playlists_to_rank(splits, shape, "test", ["train", "val"], tested_on),
    )


@dataclass(frozen=True)
class Tuned:
    """A baseline with the settings that find most validation tracks."""

    settings: dict[str, float]
    validation_recall: float
    fitted: Fitted


def _unordered(score: Callable[[Matrix], NDArray[np.float32]], given: Sequences) -> Scorer:
    return matrix_scorer(score, given.matrix())


class TunedBaselines:
    """Every baseline that is named, fitted to the training tracks, with its best settings on validation."""

    def __init__(self, given: Given, about: About, settings: Baselines, *, block: int, seed: int) -> None:
        self.given, self.about, self.settings, self.block, self.seed = given, about, settings, block, seed
        self.train = given.train.matrix()
        self.found: dict[str, Tuned] = {}
        self._similar: tuple[float | None, SimilarItems] | None = None
        linear = linear_grids(settings, ease_items=settings.ease_tracks, seed=seed)
        linear["artist_popularity"] = iter([({}, partial(fit_group_popularity, group=about.artist))])
        for number, name in enumerate(settings.included, 1):
            doing(f"tuning baseline {number} of {len(settings.included)}: {name}")
            self.found[name] = self._linear(linear[name]) if name in linear else self._ordered(name)

    def recall(self, fitted: Fitted) -> float:
        """Of the validation tracks, of playlists known by their training tracks."""
        scorer = fitted(self.given.train)
        ranked = rank_by(scorer, self.given.tuning, places=TUNED_AT, block=self.block)
        return float(recall_at(ranked.hits, ranked.relevant, TUNED_AT).mean())

    def _linear(self, grid: Grid) -> Tuned:
        """The best of all settings of a recommender that knows which tracks a playlist has, and no order."""
        best: Tuned | None = None
        for settings, fit in grid:
            score = fit(self.train)
            fitted = partial(_unordered, score)
            recall = self.recall(fitted)
            if best is None or recall > best.validation_recall:
                best = Tuned(settings, recall, fitted)
        assert best is not None
        return best

    def _ordered(self, name: str) -> Tuned:
        """The best settings of a recommender that reads the order, found one setting at a time."""
        make: dict[str, Callable[[Settings], Fitted]] = {
            "stan": lambda own: stan(
                self.given.train, lists=int(own["lists"]), decay=own["decay"], spread=own["spread"]
            ),
            "sequential_rules": lambda own: sequential_rules(self.given.train, reach=int(own["reach"])),
            "sasrec": self._sasrec,
        }
        build = make.get(name, self._item_knn)
        tried: list[Tuned] = []

        def measure(own: Settings) -> float:
            fitted = build(own)
            found = Tuned(dict(own), self.recall(fitted), fitted)
            tried[:] = [max([*tried, found], key=lambda each: each.validation_recall)]  # the first of equal ones
            return found.validation_recall

        stepwise(self.values(name), measure)
        return tried[0]

    def _item_knn(self, own: Settings) -> Fitted:
        distance = own.get("distance")
        if self._similar is None or self._similar[0] != distance:
            self._similar = distance, self._similarities(distance)
        weights = {name: value for name, value in own.items() if name not in {"neighbours", "shrink", "distance"}}
        return item_knn(self._similar[1](int(own["neighbours"]), own["shrink"]), self.about, **weights)

    def _similarities(self, distance: float | None) -> SimilarItems:
        train, users = self.given.train, np.asarray(self.train.sum(axis=0)).ravel()
        lists = train.indptr, train.track, train.tracks
        together = common_lists(*lists) if distance is None else near_pairs(*lists, distance)
        return SimilarItems(together, users, max(self.settings.knn_neighbours))

    def _sasrec(self, own: Settings) -> Fitted:
        train, settings = self.given.train, self.settings
        return fit_sasrec(
            train,
            self.given.tuning,
            dim=int(own["dim"]),
            epochs=settings.sasrec_epochs,
            learning_rate=settings.sasrec_learning_rate,
            seed=self.seed,
            block=self.block,
        ).fitted

    def values(self, name: str) -> dict[str, Sequence[float]]:
        """The values of a baseline's grid by the settings' names."""
        own = self.settings
        every: dict[str, Sequence[float]] = {
            "neighbours": own.knn_neighbours,
            "shrink": own.knn_shrink,
            "decay": own.stan_decays if name == "stan" else own.recency_decays,
            "floor": own.recency_floors,
            "artist_weight": own.artist_weights,
            "genre_weight": own.genre_weights,
            "distance": own.ordered_distances,
            "lists": own.stan_lists,
            "spread": own.stan_spreads,
            "reach": own.rules_reach,
            "dim": own.sasrec_dims,
        }
        names = KNN.get(name) or {
            "stan": ("lists", "decay", "spread"), "sequential_rules": ("reach",), "sasrec": ("dim",)
        }.get(name)  # fmt: skip
        return {each: every[each] for each in names} if names else dict(grid_values(own, name))

    @property
    def strongest(self) -> str:
        """The one that finds most validation tracks."""
        return max(self.found, key=lambda name: self.found[name].validation_recall)

    def some(self, *names: str) -> dict[str, Fitted]:
        """Those of the names that were fitted."""
        return {name: self.found[name].fitted for name in names if name in self.found}

    @property
    def edges(self) -> dict[str, list[str]]:
        """The settings of each that are the least or the largest of their grid."""
        return {name: at_edge(tuned.settings, self.values(name)) for name, tuned in self.found.items()}

    @property
    def not_tuned(self) -> dict[str, list[str]]:
        """The settings of each for which there is one value only."""
        return {
            name: sorted(each for each in tuned.settings if len(set(self.values(name).get(each, ()))) == 1)
            for name, tuned in self.found.items()
        }

    def chosen(self) -> dict[str, dict[str, float]]:
        """The settings of each, and what they find on validation."""
        return {
            name: tuned.settings | {"val_recall_at_10": tuned.validation_recall} for name, tuned in self.found.items()
        }

    def lists(self, places: int) -> Iterator[tuple[str, Ranking]]:
        """The lists of each for the test playlists."""
        for name, tuned in self.found.items():
            scorer = tuned.fitted(self.given.known)
            yield name, rank_by(scorer, self.given.test, places=places, block=self.block)
