"""The tables of sessions as dense matrices, and the trained network and its filter written out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from sklearn.metrics import ndcg_score

from tests.library.domains.sessions.dense import Dense, Matrix, filter_matrix
from tests.stages.programs import Programs

SESSIONS = Programs.tiny("sessions")
FILTER = {"filter_weight": [0.0, 2.0, 4.0], "filter_factors": 6, "filter_alpha": 0.3, "filter_sharpening": 1.5}
table = SESSIONS.table


@dataclass(frozen=True)
class Lists:
    """Lists of some users by any scores (users, songs) of all users: a full sort without the known songs."""

    scores: Matrix
    users: Sequence[int]
    known: Matrix
    """(all users, songs): never recommended"""
    hidden: Matrix
    """(all users, songs): to be found"""

    @cached_property
    def order(self) -> np.ndarray:
        """(users, songs): best first, known songs last."""
        masked = np.where(self.known > 0, -np.inf, self.scores)[self.users]
        return np.argsort(-masked, axis=1, kind="stable")

    @cached_property
    def places(self) -> np.ndarray:
        """(users, songs): the place of each song, from 1."""
        return np.argsort(self.order, axis=1) + 1

    def recall(self, k: int) -> np.ndarray:
        hidden = self.hidden[self.users] > 0
        return (hidden & (self.places <= k)).sum(axis=1) / hidden.sum(axis=1)

    def ndcg(self, k: int) -> np.ndarray:
        hidden, score = self.hidden[self.users], -self.places.astype(float)
        return np.array([ndcg_score([own], [by], k=k) for own, by in zip(hidden, score, strict=True)])

    def reciprocal(self) -> np.ndarray:
        first = np.where(self.hidden[self.users] > 0, self.places, np.inf).min(axis=1)
        return np.asarray(1 / first)


class World:
    """The tables of the working folder as matrices, and the trained network written out."""

    def __init__(self) -> None:
        self.splits = table("split/splits.parquet")
        self.types = table("split/user_types.parquet")["user_type"]
        self.shape = len(table("label/users.parquet")), len(table("label/songs.parquet"))
        self.train = self.side("train")
        genres = table("split/genres.parquet")
        self.genres = genres.pivot_table("share", "song_index", "genre_index", fill_value=0).reindex(
            range(self.shape[1]), fill_value=0
        )

    def side(self, *names: str) -> Matrix:
        rows = self.splits[self.splits["split"].isin(names)]
        matrix = np.zeros(self.shape)
        matrix[rows["user_index"], rows["song_index"]] = 1
        return matrix

    def users(self, side: str) -> list[int]:
        return sorted(self.splits.loc[self.splits["split"] == side, "user_index"].unique())

    @cached_property
    def model(self) -> Dense:
        folder = Path("data/sessions/train/model")
        config = json.loads((folder / "config.json").read_text())
        state = {name: np.asarray(part, float) for name, part in load_file(folder / "model.safetensors").items()}
        return Dense(
            state, config["genre_weight"], config["temperature"], config["heads"], config["layers"], self.train
        )

    @property
    def type_numbers(self) -> np.ndarray:
        return self.types.map({"casual": 0, "regular": 1, "power": 2, "unknown": -1}.__getitem__).to_numpy()

    @cached_property
    def filter(self) -> Matrix:
        """(songs, songs), times the weight."""
        weight = SESSIONS.metrics("judgement")["filter_weight"]
        return weight * filter_matrix(
            self.train, *(FILTER[f"filter_{name}"] for name in ("factors", "alpha", "sharpening"))
        )

    def scores(self, known: Matrix, types: np.ndarray) -> Matrix:
        """Of users known by `known`: the network's, plus the filter's of rows of length 1."""
        return self.model.scores(known, types) + self.filtered(known)

    def filtered(self, known: Matrix) -> Matrix:
        return (known / np.sqrt(np.maximum(known.sum(axis=1, keepdims=True), 1))) @ self.filter

    def lists(self, *, cold: bool = False, scores: Matrix | None = None) -> Lists:
        """Lists for the test songs, or for those of cold-start users, by the model unless scores are given."""
        if scores is None:
            known = self.side("cold_given") if cold else self.train
            scores = self.scores(known, self.type_numbers)
        if cold:
            return Lists(scores, self.users("cold_target"), self.side("cold_given"), self.side("cold_target"))
        return Lists(scores, self.users("test"), self.side("train", "val"), self.side("test"))

    def validation(self, scores: Matrix) -> Lists:
        return Lists(scores, self.users("val"), self.train, self.side("val"))


def baseline_scores(world: World, name: str, known: Matrix, settings: dict[str, float]) -> Matrix:
    """Dense scores of a simple recommender fitted to the training songs, for users known by `known`."""
    train = world.train
    gram = train.T @ train
    if name == "popularity":
        return np.tile(train.sum(axis=0), (len(known), 1))
    if name == "item_knn":
        items = train.sum(axis=1)
        counts = (items[items > 0].mean() / np.maximum(items, 1)) ** settings["user_exponent"]
        gram = (train * counts[:, None]).T @ train
        users, power = np.diag(gram), settings["asymmetry"]
        similar = gram / (np.outer(users**power, users ** (1 - power)) + settings["shrink"] + 1e-9)
        np.fill_diagonal(similar, 0)
        least = np.sort(similar, axis=1)[:, -int(settings["neighbours"]), None]
        return known @ np.where(similar < least, 0, similar).T
    inverse = np.linalg.inv(gram + settings["l2"] * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return known @ weights
