"""The baselines, each tuned on validation, and their lists for the test playlists."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from winnow.domains.playlists.model.sequences import Sequences, sequences_of
from winnow.domains.playlists.model.training import playlists_to_rank
from winnow.domains.playlists.params import Baselines
from winnow.recommend.baselines import fit_group_popularity, fit_item_knn_with_groups, matrix_scorer
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.ranking import Ranking, rank_by
from winnow.recommend.tuning import Grid, Tuned, at_edge, grid_values, linear_grids, tune


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
    before = splits[splits["split"] != "test"]
    return Given(
        sequences_of(before[before["split"] == "train"], *shape),
        sequences_of(before, *shape),
        playlists_to_rank(splits, shape, "val", ["train"], tuned_on),
        playlists_to_rank(splits, shape, "val", ["train"], tested_on),
        playlists_to_rank(splits, shape, "test", ["train", "val"], tested_on),
    )


class TunedBaselines:
    """Every baseline, fitted to the training tracks, with the settings that find most validation tracks."""

    def __init__(self, given: Given, artist: NDArray[np.int64], settings: Baselines, *, block: int, seed: int) -> None:
        """`artist` (tracks,), -1 without one."""
        self.given, self.settings, self.block = given, settings, block
        self.train = given.train.matrix()
        self.found: dict[str, Tuned] = {}
        self.edges: dict[str, list[str]] = {}
        self.recency: dict[str, tuple[float, float]] = {}
        grids = linear_grids(settings, ease_items=settings.ease_tracks, seed=seed)
        grids["artist_popularity"] = iter([({}, partial(fit_group_popularity, group=artist))])
        for name, grid in grids.items():
            self._keep(name, self._tune(grid))
        self._keep("item_knn_artist", self._tune(self._with_artist("item_knn", artist)))
        self._tune_recency()
        decay, floor = self.recency["item_knn_recency"]
        with_artist = self._tune(
            self._with_artist("item_knn_recency", artist), given.train.recency_matrix(decay, floor)
        )
        self._keep("item_knn_recency_artist", with_artist, (decay, floor))

    def _tune(self, grid: Grid, known: sparse.csr_matrix | None = None) -> Tuned:
        return tune(grid, self.train, self.given.tuning, block=self.block, known=known)

    def _keep(self, name: str, tuned: Tuned, recency: tuple[float, float] | None = None) -> None:
        chosen = dict(tuned.settings)
        if recency is not None:
            self.recency[name] = recency
            chosen |= {"decay": recency[0], "floor": recency[1]}
        self.found[name] = Tuned(chosen, tuned.validation_recall, tuned.score, tuned.fit)
        self.edges[name] = at_edge(chosen, self._values(name))

    def _values(self, name: str) -> dict[str, Sequence[float]]:
        """The values of a baseline's grid by the settings' names."""
        return grid_values(self.settings, name) | {
            "artist_weight": self.settings.artist_weights,
            "decay": self.settings.recency_decays,
            "floor": self.settings.recency_floors,
        }

    def _with_artist(self, base: str, artist: NDArray[np.int64]) -> Grid:
        """The grid of an item-kNN that was tuned already, with the artists' weights."""
        chosen = self.found[base].settings
        count, shrink = int(chosen["neighbours"]), chosen["shrink"]
        for weight in self.settings.artist_weights:
            fit = partial(fit_item_knn_with_groups, neighbours=count, shrink=shrink, group=artist, weight=weight)
            yield {"neighbours": count, "shrink": shrink, "artist_weight": weight}, fit

    def _tune_recency(self) -> None:
        """item-kNN with every weighting of the last tracks, then with every setting of its own under the best."""
        plain = self.found["item_knn"].settings
        weighted = {
            recency: self._tune(self._item_knn([int(plain["neighbours"])], [plain["shrink"]]), self._recent(recency))
            for recency in product(self.settings.recency_decays, self.settings.recency_floors)
        }
        best = max(weighted, key=lambda recency: weighted[recency].validation_recall)
        grid = self._item_knn(self.settings.knn_neighbours, self.settings.knn_shrink)
        self._keep("item_knn_recency", self._tune(grid, self._recent(best)), best)

    def _recent(self, recency: tuple[float, float]) -> sparse.csr_matrix:
        """The training tracks, the last ones counting most."""
        return self.given.train.recency_matrix(*recency)

    def _item_knn(self, neighbours: list[int], shrink: list[float]) -> Grid:
        """The grid of item-kNN over these settings."""
        settings = self.settings.model_copy(update={"knn_neighbours": neighbours, "knn_shrink": shrink})
        return linear_grids(settings, ease_items=0, seed=0)["item_knn"]

    def chosen(self) -> dict[str, dict[str, float]]:
        """The settings of each, and what they find on validation."""
        return {
            name: tuned.settings | {"val_recall_at_10": tuned.validation_recall} for name, tuned in self.found.items()
        }

    def lists(self, places: int) -> Iterator[tuple[str, Ranking]]:
        """The lists of each for the test playlists."""
        plain = self.given.known.matrix()
        for name, tuned in self.found.items():
            known = self.given.known.recency_matrix(*self.recency[name]) if name in self.recency else plain
            scorer = matrix_scorer(tuned.score, known)
            yield name, rank_by(scorer, self.given.test, places=places, block=self.block)
