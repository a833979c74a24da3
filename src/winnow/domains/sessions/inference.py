"""Using the trained recommender: recommendations with reasons, and its evaluation on other listening data."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from rapidfuzz import fuzz, process

from winnow.curate.filters import apply_rules
from winnow.domains.sessions import definitions
from winnow.domains.sessions.metrics import statistics
from winnow.domains.sessions.model.artifacts import read_artifacts, read_blend, read_chances
from winnow.domains.sessions.model.explanations import SongExplainer
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.tensors import UNKNOWN, graph_of, pairs_of, type_indices
from winnow.domains.sessions.rules.plays import play_rules
from winnow.domains.sessions.source.listening import Listening
from winnow.domains.sessions.source.merge import merge_plays
from winnow.learn.trained import load_trained
from winnow.pipeline.errors import WinnowError
from winnow.recommend.baselines import fit_item_knn, matrix_scorer
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.explanations import Reason
from winnow.recommend.filters import GraphFilter
from winnow.recommend.graph import Graph, fold_in, matrix_of
from winnow.recommend.judged import compare_on_rows
from winnow.recommend.metrics import user_metrics
from winnow.recommend.names import NEAR, LeftOut, NameIndex, Taken
from winnow.recommend.ranking import Scorer, rank_by
from winnow.recommend.spelling import JOIN
from winnow.recommend.topk import best_of
from winnow.recommend.typed import TypedList, Wanted

BLOCK = 512
HIDDEN_SHARE = 0.2
NEIGHBOURS, SHRINK = 200, 20.0
"""Of item-kNN over the model's graph, the rival of a model that carries no graph filter."""


@dataclass(frozen=True)
class Recommendation:
    song: str
    title: str
    score: float
    """the model's, without a unit; of somebody of whom nothing is known the same as `chance`"""
    chance: float | None
    """that the user likes it: see `Recommender`"""
    reasons: list[tuple[str, str, float]]
    """(song or genre, its name, by how much the score falls without it), the largest effect first"""


@dataclass(frozen=True)
class Recommended:
    """The songs for a user, and how the names that they gave were understood."""

    user: str
    known_by: str
    """songs or popularity (none of the songs is known)"""
    songs: list[Recommendation]
    taken: list[Taken]
    left_out: list[LeftOut]


class Recommender:
    """
    The trained network over the graph it was trained on; everything comes from the model's folder.

    The chance of a song is that it is among the next songs of the user, as many as were held out for validation, fitted
    to the validation users; a model that learned from the validation songs (mode simple) tells none. For somebody of
    whom no song is known it is the share of users who have the song.
    """

    @torch.no_grad()
    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises WinnowError when `folder` holds no model of this domain and version."""
        self.device = device
        self.model = load_trained(GraphRecommender, "sessions", device, folder)
        artifacts = read_artifacts(folder)
        self.users, self.songs, self.known = artifacts.users, artifacts.songs, artifacts.known
        self.rules = play_rules(artifacts.rules)
        self.genre_names = artifacts.genres.set_index("genre_index")["genre"]
        self.types = type_indices(self.users)
        trained = self.known[self.known["split"].isin(self.model.splits)]
        self.graph = graph_of(trained, (len(self.users), len(self.songs)))
        self.plain = self.model.plain_songs()
        self.vectors = self.model.propagate(self.model.edge_weights(self.graph.to(device), self.plain), self.plain)
        self.blend, self.chances = read_blend(folder, self.graph), read_chances(folder)

    @cached_property
    def index(self) -> NameIndex:
        """The songs by id and title; where most are "artist – title", also by what follows the artist."""
        names = self.songs["title"].tolist()
        parts = [name.partition(JOIN)[2] or name for name in names]
        titles = parts if 2 * sum(JOIN in name for name in names) > len(names) else names
        return NameIndex(self.songs["song"].tolist(), titles, names, self.graph.popularity.numpy())

    @torch.no_grad()
    def for_user(self, user: str, count: int) -> Recommended:
        """`count` songs for a user of the training data, by and without their training and validation songs."""
        index = _find(user, self.users["user"].tolist())
        songs = self.known.loc[self.known["user_index"] == index, "song_index"].to_numpy()
        given = fold_in((np.zeros(len(songs), dtype=np.int64), songs), 1, self.graph)
        found = self._recommend(given, int(self.types[index]), count, explain=True)[0]
        return Recommended(user, "songs", found, [], [])

    def for_likes(self, titles: Sequence[str | Wanted], count: int) -> Recommended:
        """`count` songs for an unknown user who likes songs given by their ids or titles; see `for_lists`."""
        wanted = tuple(each if isinstance(each, Wanted) else Wanted(each) for each in titles)
        return next(self.for_lists([TypedList(wanted)], count, explain=True, suggest=True))

    @torch.no_grad()
    def for_lists(
        self, lists: Sequence[TypedList], count: int, *, explain: bool = False, suggest: bool = False
    ) -> Iterator[Recommended]:
        """`count` songs for each list of songs that somebody likes, and none of them.

        Songs that are not known are left out; without any that is, the most popular songs are recommended. Reasons are
        given with `explain` and near names with `suggest` only.
        """
        for start in range(0, len(lists), BLOCK):
            some = lists[start : start + BLOCK]
            understood = [self.index.understand(each.titles, suggest=suggest) for each in some]
            row = np.repeat(np.arange(len(some)), [len(each.items) for each in understood])
            songs = np.array([item for each in understood for item in each.items], dtype=np.int64)
            found = self._recommend(fold_in((row, songs), len(some), self.graph), UNKNOWN, count, explain=explain)
            for typed, names, own in zip(some, understood, found, strict=True):
                by = "songs" if names.items else "popularity"
                yield Recommended(typed.name, by, own, names.taken, names.left_out)

    def _recommend(self, given: Graph, kind: int, count: int, *, explain: bool) -> list[list[Recommendation]]:
        """Songs for the users of the graph `given`, all of one type, who are known by its songs."""
        graph = given.to(self.device)
        types = torch.full((graph.users,), kind, device=self.device)
        explainer = SongExplainer(self.model, graph, types, self.vectors, self.plain, self.blend)
        scores = explainer.scores(np.arange(graph.users))
        strangers = given.indptr.diff() == 0
        popularity = self.graph.popularity / max(self.graph.users, 1)
        scores[strangers] = popularity.to(scores)
        scores[graph.user, graph.item] = -torch.inf
        best, numbers = best_of(scores, min(count, scores.shape[1]))
        return [
            [
                Recommendation(
                    str(self.songs["song"].iloc[song]),
                    str(self.songs["title"].iloc[song]),
                    score,
                    score if stranger else None if self.chances is None else float(self.chances.of(score)),
                    [
                        (reason.kind, self._name(reason), reason.effect)
                        for reason in (explainer.reasons(row, song) if explain and not stranger else [])
                    ],
                )
                for score, song in zip(values, songs, strict=True)
                if score > -np.inf
            ]
            for row, (stranger, values, songs) in enumerate(
                zip(strangers.tolist(), best.tolist(), numbers.tolist(), strict=True)
            )
        ]

    def _name(self, reason: Reason) -> str:
        names = self.songs["title"] if reason.kind == "song" else self.genre_names
        return str(names[reason.index])

    @torch.no_grad()
    def judge(self, listening: Listening, rng: np.random.Generator, *, source: str = "") -> dict[str, Any]:
        """Metrics on users the model was not trained on: a share of their songs is hidden and to be found.

        Plays that the training data's rules drop (skipped, cut short, repeated, a bot's), songs the model does not know
        and users it was trained on are left out and counted. Raises WinnowError, which names the `source`, when no user
        is left.
        """
        plays = merge_plays([listening])
        dropped = apply_rules(plays, self.rules).notna()
        pairs = plays.loc[~dropped, ["user", "song"]].drop_duplicates().sort_values(["user", "song"])
        trained = pairs["user"].isin(self.users["user"])
        index = pairs["song"].map(self._numbers(pairs["song"].unique()))
        usable = pairs[~trained & index.notna()].assign(song_index=index).drop_duplicates(["user", "song_index"])
        usable = usable[usable.groupby("user")["song"].transform("size") > 1].reset_index(drop=True)
        counts = {
            "rows_rejected": len(listening.rejected),
            "plays_dropped": int(plays.loc[dropped, "plays"].sum()),
            "users_trained_on": int(pairs.loc[trained, "user"].nunique()),
            "songs_known": int(index.nunique()),
            "songs_unknown": int(pairs.loc[index.isna(), "song"].nunique()),
            "users_judged": int(usable["user"].nunique()),
        }
        if usable.empty:
            listed = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            raise WinnowError(
                f"no new user with two known songs is left to judge ({listed})", where=source, fix="name other data"
            )
        usable["user_index"] = pd.factorize(usable["user"])[0]
        usable["song_index"] = usable["song_index"].astype("int64")
        usable["lot"] = rng.permutation(len(usable))
        usable = usable.sort_values(["user_index", "lot"])
        size = usable.groupby("user_index")["lot"].transform("size")
        hide = usable.groupby("user_index").cumcount() < np.maximum(1, np.round(HIDDEN_SHARE * size))
        return counts | self._metrics(usable[hide], usable[~hide], counts["users_judged"])

    def _numbers(self, songs: Iterable[str]) -> dict[str, int]:
        """The numbers of those songs that are known: by id, or all by title where more of them are known so."""
        ids = {song: number for number, song in enumerate(self.songs["song"])}
        by_id = {song: ids[song] for song in songs if song in ids}
        found = {song: self.index.find(Wanted(song)) for song in songs if song not in by_id}
        titled = {song: match.number for song, match in found.items() if match is not None and not match.is_part}
        return by_id if len(titled) <= len(by_id) else titled  # a title that is some song's id is not that song

    def _metrics(self, hidden: pd.DataFrame, known: pd.DataFrame, users: int) -> dict[str, Any]:
        graph = fold_in(pairs_of(known), users, self.graph)
        held = evaluation_set(graph, hidden=pairs_of(hidden), known=pairs_of(known))
        types = torch.full((users,), UNKNOWN, device=self.device)
        explainer = SongExplainer(self.model, graph.to(self.device), types, self.vectors, self.plain, self.blend)
        popularity = self.graph.popularity.float()
        train, given = matrix_of(self.graph), matrix_of(graph)
        rival = self.blend.filter if self.blend else fit_item_knn(train, neighbours=NEIGHBOURS, shrink=SHRINK)
        scorers: dict[str, Scorer] = {
            "model": explainer.scores,
            "graph_filter" if isinstance(rival, GraphFilter) else "item_knn": matrix_scorer(rival, given),
            "popularity": lambda numbers: popularity.repeat(len(numbers), 1),
        }
        diversity = np.full(users, np.nan)
        tables = {}
        for name, scorer in scorers.items():
            ranked = rank_by(scorer, held, places=max(definitions.CUTOFFS), block=BLOCK)
            table = user_metrics(
                ranked,
                self.graph.popularity.numpy(),
                diversity,
                cutoffs=definitions.CUTOFFS,
                length=definitions.LIST_LENGTH,
            )
            tables[name] = statistics(table)
        return compare_on_rows(tables, users)


def _find(name: str, known: Sequence[str]) -> int:
    """The number of a user; raises WinnowError with the nearest ones."""
    if name in known:
        return known.index(name)
    near = [str(each) for each, _, _ in process.extract(name, known, scorer=fuzz.ratio, limit=3, score_cutoff=NEAR)]
    raise WinnowError(
        f"there is no user {name!r} in the training data",
        fix=f"such as {', '.join(near or known[:3])}; or name songs that they like (--likes)",
    )
