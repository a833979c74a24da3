"""Using the trained recommender: recommendations with reasons, and its evaluation on other listening data."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.curate.filters import apply_rules
from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.artifacts import read_artifacts, read_blend
from winnow.domains.sessions.model.explanations import SongExplainer
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.tensors import UNKNOWN, graph_of, pairs_of, type_indices
from winnow.domains.sessions.rules.plays import play_rules
from winnow.domains.sessions.source.listening import Listening
from winnow.domains.sessions.source.merge import merge_plays
from winnow.learn.trained import load_trained
from winnow.pipeline.errors import WinnowError
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.explanations import Reason
from winnow.recommend.graph import fold_in
from winnow.recommend.ranking import Scorer, rank_by, rank_metrics

BLOCK = 512
HIDDEN_SHARE = 0.2


@dataclass(frozen=True)
class Recommendation:
    song: str
    title: str
    score: float
    reasons: list[tuple[str, str, float]]
    """(song or genre, its name, by how much the score falls without it), the largest effect first"""


class Recommender:
    """The trained network over the graph it was trained on; everything comes from the model's folder."""

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
        self.blend = read_blend(folder, self.graph)

    @torch.no_grad()
    def for_user(self, user: str, count: int) -> list[Recommendation]:
        """`count` songs for a user of the training data, by and without their training and validation songs."""
        index = _find(user, self.users["user"], "user")
        songs = self.known.loc[self.known["user_index"] == index, "song_index"].to_numpy()
        return self._recommend(songs, int(self.types[index]), count)

    @torch.no_grad()
    def for_likes(self, text: str, count: int) -> list[Recommendation]:
        """`count` songs for an unknown user who likes songs given by their ids or titles, separated by commas."""
        return self._recommend(np.array(sorted(set(self._songs(text))), dtype=np.int64), UNKNOWN, count)

    def _songs(self, text: str) -> list[int]:
        """The songs of a list; a title with commas is recognised, as the longest run of parts that is a title."""
        numbers = dict(zip(self.songs["title"].str.lower()[::-1], self.songs.index[::-1], strict=True))
        numbers |= dict(zip(self.songs["song"].str.lower(), self.songs.index, strict=True))
        parts, found, start = text.split(","), [], 0
        while start < len(parts):
            ends = range(len(parts), start, -1)
            names = {end: ",".join(parts[start:end]).strip().lower() for end in ends}
            end = next((end for end in ends if names[end] in numbers), start + 1)
            if names[end]:
                name = parts[start].strip()
                found.append(
                    numbers[names[end]]
                    if names[end] in numbers
                    else _find(name, self.songs["song"], "song", more=self.songs["title"])
                )
            start = end
        return found

    def _recommend(self, known: np.ndarray, kind: int, count: int) -> list[Recommendation]:
        graph = fold_in((np.zeros(len(known), dtype=np.int64), known), 1, self.graph).to(self.device)
        types = torch.tensor([kind], device=self.device)
        explainer = SongExplainer(self.model, graph, types, self.vectors, self.plain, self.blend)
        scores = explainer.scores(np.array([0]))[0]
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

    def _name(self, reason: Reason) -> str:
        names = self.songs["title"] if reason.kind == "song" else self.genre_names
        return str(names[reason.index])

    @torch.no_grad()
    def judge(self, listening: Listening, rng: np.random.Generator) -> dict[str, Any]:
        """Metrics on users the model was not trained on: a share of their songs is hidden and to be found.

        Plays that the training data's rules drop (skipped, cut short, repeated, a bot's), songs the model does not know
        and users it was trained on are left out and counted. Raises WinnowError when no user is left.
        """
        plays = merge_plays([listening])
        dropped = apply_rules(plays, self.rules).notna()
        pairs = plays.loc[~dropped, ["user", "song"]].drop_duplicates().sort_values(["user", "song"])
        trained = pairs["user"].isin(self.users["user"])
        index = pairs["song"].map(self.songs.set_index("song")["song_index"])
        usable = pairs[~trained & index.notna()].assign(song_index=index)
        usable = usable[usable.groupby("user")["song"].transform("size") > 1].reset_index(drop=True)
        counts = {
            "rows_rejected": len(listening.rejected),
            "plays_dropped": int(plays.loc[dropped, "plays"].sum()),
            "users_trained_on": int(pairs.loc[trained, "user"].nunique()),
            "songs_unknown": int(pairs.loc[index.isna(), "song"].nunique()),
            "users_judged": int(usable["user"].nunique()),
        }
        if usable.empty:
            listed = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            raise WinnowError(f"no new user with two known songs is left to judge ({listed})", fix="name other data")
        usable["user_index"] = pd.factorize(usable["user"])[0]
        usable["song_index"] = usable["song_index"].astype("int64")
        usable["lot"] = rng.permutation(len(usable))
        usable = usable.sort_values(["user_index", "lot"])
        size = usable.groupby("user_index")["lot"].transform("size")
        hide = usable.groupby("user_index").cumcount() < np.maximum(1, np.round(HIDDEN_SHARE * size))
        return counts | self._metrics(usable[hide], usable[~hide], counts["users_judged"])

    def _metrics(self, hidden: pd.DataFrame, known: pd.DataFrame, users: int) -> dict[str, Any]:
        graph = fold_in(pairs_of(known), users, self.graph)
        held = evaluation_set(graph, hidden=pairs_of(hidden), known=pairs_of(known))
        types = torch.full((users,), UNKNOWN, device=self.device)
        explainer = SongExplainer(self.model, graph.to(self.device), types, self.vectors, self.plain, self.blend)
        popularity = self.graph.popularity.float()
        scorers: dict[str, Scorer] = {
            "model": explainer.scores,
            "popularity": lambda numbers: popularity.repeat(len(numbers), 1),
        }
        found = {}
        for name, scorer in scorers.items():
            ranked = rank_by(scorer, held, places=max(definitions.CUTOFFS), block=BLOCK)
            metrics = rank_metrics(ranked, definitions.CUTOFFS) | {"mrr_score": ranked.reciprocal_rank}
            found[name] = {metric: float(values.mean()) for metric, values in metrics.items()}
        return found


def _find(name: str, known: "pd.Series[str]", what: str, more: Iterable[str] = ()) -> int:
    """The number of a name; raises WinnowError with the nearest ones."""
    places = known.index[known == name]
    if len(places):
        return int(places[0])
    near = difflib.get_close_matches(name, [*known, *more], n=3, cutoff=0.5) or list(known[:3])
    raise WinnowError(f"there is no {what} {name!r} in the training data", fix=f"such as {', '.join(near)}")
