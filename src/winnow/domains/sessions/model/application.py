"""What a user does with the trained recommender: recommendations with reasons, and other listening data judged."""

import difflib
import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.domains.sessions.model.explanations import Explainer, Reason
from winnow.domains.sessions.model.graph import Graph, build_graph
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.ranking import rank, rank_by, rank_metrics
from winnow.domains.sessions.model.tensors import graph_of, held_out, user_types
from winnow.domains.sessions.source.listening import Listening
from winnow.domains.sessions.tables import Genres, Songs, Splits, Users, UserTypes
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.tables import read_table

DATA = Path("data", "sessions")
UNKNOWN_TYPE = -1
BLOCK = 512
HIDDEN_SHARE = 0.2


@dataclass(frozen=True)
class Recommendation:
    song: str
    title: str
    score: float
    reasons: list[tuple[str, str, float]]
    """(song or genre, its name, by how much the score falls without it), the largest first"""


class Recommender:
    """The trained network over its graph, with the names of users, songs and genres."""

    @torch.no_grad()
    def __init__(self) -> None:
        """Raises WinnowError when nothing was trained yet."""
        folder = DATA / "train" / "model"
        if not folder.exists():
            raise WinnowError("there is no trained recommender yet", where=str(folder), fix="dvc repro train@sessions")
        with redirect_stdout(sys.stderr):  # the hub's library prints, and --json must stay JSON
            self.model = GraphRecommender.from_pretrained(folder)
        self.users = read_table(DATA / "label" / "users.parquet", Users)
        self.songs = read_table(DATA / "label" / "songs.parquet", Songs)
        genres = read_table(DATA / "label" / "genres.parquet", Genres)
        self.genre_names = genres.drop_duplicates("genre_index").set_index("genre_index")["genre"]
        self.splits = read_table(DATA / "split" / "splits.parquet", Splits)
        learnt = self.splits[self.splits["split"].isin(self.model.sides)]
        self.graph = graph_of(learnt, (len(self.users), len(self.songs)))
        self.types = user_types(read_table(DATA / "split" / "user_types.parquet", UserTypes))
        self.plain = self.model.plain_songs()
        self.vectors = self.model.walk(self.model.flow(self.graph, self.plain), self.plain)

    @torch.no_grad()
    def for_user(self, user: str, count: int) -> list[Recommendation]:
        """For a user of the data: songs she is not known by, by all that is known of her but the test songs."""
        index = _find(user, self.users["user"], "user")
        known = self.splits[
            (self.splits["user_index"] == index) & self.splits["split"].isin(["train", "val", "cold_given"])
        ]
        songs = known["song_index"].to_numpy()
        return self._recommend(songs, int(self.types[index]), count)

    @torch.no_grad()
    def for_likes(self, names: list[str], count: int) -> list[Recommendation]:
        """For somebody never seen, from songs she likes, told by their ids or titles."""
        songs = sorted({self._song(name) for name in names})
        return self._recommend(np.array(songs, dtype=np.int64), UNKNOWN_TYPE, count)

    def _song(self, name: str) -> int:
        titles = self.songs.index[self.songs["title"].str.lower() == name.lower()]
        return int(titles[0]) if len(titles) else _find(name, self.songs["song"], "song", more=self.songs["title"])

    def _recommend(self, known: np.ndarray, kind: int, count: int) -> list[Recommendation]:
        graph = self._folded_in(np.zeros(len(known), dtype=np.int64), known, 1)
        explainer = Explainer(self.model, graph, torch.tensor([kind]), self.vectors, self.plain)
        scores = self.vectors @ explainer.users[0] + self.model.song_bias()
        scores[torch.tensor(known)] = -torch.inf
        best = torch.topk(scores, min(count, len(scores) - len(known))).indices.tolist()
        return [
            Recommendation(
                str(self.songs["song"].iloc[song]),
                str(self.songs["title"].iloc[song]),
                float(scores[song]),
                [(reason.kind, self._name(reason), reason.effect) for reason in explainer.reasons(0, song)],
            )
            for song in best
        ]

    def _folded_in(self, users: np.ndarray, songs: np.ndarray, count: int) -> Graph:
        return build_graph(users, songs, (count, len(self.songs)), self.graph.listeners)

    def _name(self, reason: Reason) -> str:
        names = self.songs["title"] if reason.kind == "song" else self.genre_names
        return str(names[reason.index])

    @torch.no_grad()
    def judge(self, listening: Listening, rng: np.random.Generator) -> dict[str, Any]:
        """How well users the model was not trained on are served: a share of their songs is hidden and to be found.

        Plays of songs the model does not know are left out and counted, as are users it was trained on. Raises
        WinnowError when nobody is left.
        """
        pairs = listening.plays[["user", "song"]].drop_duplicates().sort_values(["user", "song"])
        trained = pairs["user"].isin(self.users["user"])
        index = pairs["song"].map(self.songs.set_index("song")["song_index"])
        usable = pairs[~trained & index.notna()].assign(song_index=index)
        usable = usable[usable.groupby("user")["song"].transform("size") > 1].reset_index(drop=True)
        counts = {
            "rows_rejected": len(listening.rejected),
            "users_trained_on": int(pairs.loc[trained, "user"].nunique()),
            "songs_unknown": int(pairs.loc[index.isna(), "song"].nunique()),
            "users_judged": int(usable["user"].nunique()),
        }
        if usable.empty:
            told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            raise WinnowError(f"no new user with two known songs is left to judge ({told})", fix="name other data")
        usable["user_index"] = pd.factorize(usable["user"])[0]
        usable["song_index"] = usable["song_index"].astype("int64")
        usable["lot"] = rng.permutation(len(usable))
        usable = usable.sort_values(["user_index", "lot"])
        size = usable.groupby("user_index")["lot"].transform("size")
        hide = usable.groupby("user_index").cumcount() < np.maximum(1, np.round(HIDDEN_SHARE * size))
        return counts | self._figures(usable[hide], usable[~hide], counts["users_judged"])

    def _figures(self, hidden: pd.DataFrame, known: pd.DataFrame, users: int) -> dict[str, Any]:
        graph = self._folded_in(known["user_index"].to_numpy(), known["song_index"].to_numpy(), users)
        types = torch.full((users,), UNKNOWN_TYPE)
        held = held_out(graph, types, hidden=hidden, known=known)
        vectors = self.model.user_vectors(self.model.flow(graph, self.plain), self.vectors, types)
        popular = self.graph.listeners.float()
        lists = {
            "model": rank(vectors, self.vectors, self.model.song_bias(), held, BLOCK),
            "popularity": rank_by(lambda numbers: popular.repeat(len(numbers), 1), held, BLOCK),
        }
        return {
            name: {metric: float(found.mean()) for metric, found in rank_metrics(ranked).items()}
            | {"mrr_score": float(ranked.reciprocal_rank.mean())}
            for name, ranked in lists.items()
        }


def _find(name: str, known: "pd.Series[str]", what: str, more: Iterable[str] = ()) -> int:
    """The number of a name; raises WinnowError with the nearest ones."""
    places = known.index[known == name]
    if len(places):
        return int(places[0])
    near = difflib.get_close_matches(name, [*known, *more], n=3, cutoff=0.5) or list(known[:3])
    raise WinnowError(f"there is no {what} {name!r} in the data", fix=f"such as {', '.join(near)}")
