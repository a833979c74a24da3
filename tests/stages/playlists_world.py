"""The tables of playlists as dense matrices, and the trained network by its formulas."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from tests.stages.programs import Programs

PLAYLISTS = Programs.tiny("playlists")
table = PLAYLISTS.table
Matrix = np.ndarray


@dataclass(frozen=True)
class Lists:
    """Lists of the test playlists by any scores (playlists, tracks): a full sort without the known tracks."""

    scores: Matrix
    users: list[int]
    known: Matrix
    hidden: Matrix

    @cached_property
    def order(self) -> Matrix:
        masked = np.where(self.known > 0, -np.inf, self.scores)[self.users]
        return np.argsort(-masked, axis=1, kind="stable")

    def hits(self) -> Matrix:
        return np.take_along_axis(self.hidden[self.users], self.order, axis=1)

    def recall(self, k: int) -> Matrix:
        return self.hits()[:, :k].sum(axis=1) / np.maximum(self.hidden[self.users].sum(axis=1), 1)


def recency_of(lists: list[list[int]], tracks: int, decay: float, floor: float) -> Matrix:
    weights = np.zeros((len(lists), tracks))
    for row, own in enumerate(lists):
        weights[row, own] = np.exp(-np.arange(len(own))[::-1] / decay) + floor
    return weights


class World:
    """The split as dense matrices, and the network by its formulas."""

    def __init__(self) -> None:
        self.splits = table("split/splits.parquet")
        self.tracks = table("label/tracks.parquet")
        self.shape = len(table("label/playlists.parquet")), len(self.tracks)
        self.train = self.side("train")
        self.counts = self.train.sum(axis=0)
        self.state = {
            name: value.astype(np.float64)
            for name, value in load_file("data/playlists/train/model/model.safetensors").items()
        }
        self.settings = json.loads(Path("data/playlists/train/model/settings.json").read_text())

    def side(self, *sides: str) -> Matrix:
        known = np.zeros(self.shape)
        rows = self.splits[self.splits["split"].isin(sides)]
        known[rows["playlist_index"], rows["track_index"]] = 1
        return known

    def sequences(self, *sides: str) -> list[list[int]]:
        rows = self.splits[self.splits["split"].isin(sides)].sort_values(["playlist_index", "position"])
        own = rows.groupby("playlist_index")["track_index"].agg(list)
        return [own.get(number, []) for number in range(self.shape[0])]

    @cached_property
    def sequences_of_train(self) -> list[list[int]]:
        return self.sequences("train")

    def recency(self, decay: float, floor: float, *sides: str) -> Matrix:
        return recency_of(self.sequences(*sides), self.shape[1], decay, floor)

    def cosines(self, shrink: float, neighbours: int, distance: float | None = None) -> Matrix:
        """The shrunk cosines of each track's nearest tracks; tracks far apart in a list count less."""
        together = self.train.T @ self.train
        if distance is not None:
            together = np.zeros(together.shape)
            for own in self.sequences("train"):
                apart = np.abs(np.subtract.outer(np.arange(len(own)), np.arange(len(own))))
                together[np.ix_(own, own)] += np.exp(-(apart - 1) / distance)
        cosine = together / (np.sqrt(np.outer(self.counts, self.counts)) + shrink + 1e-9)
        np.fill_diagonal(cosine, 0)
        least = np.sort(cosine, axis=1)[:, -neighbours][:, None]
        return np.where(cosine >= least - 1e-7, cosine, 0)

    @cached_property
    def vectors(self) -> Matrix:
        """Full vectors of the tracks, from the tables."""
        state = self.state
        plain = np.zeros((self.shape[1], state["track"].shape[1]))
        embedded = self.counts >= 2
        plain[embedded] = state["track"]
        artists = state["artist"].copy()
        for edge in table("label/genre_edges.parquet").itertuples():
            artists[edge.artist_index] += edge.share * state["genre"][edge.genre_index]
        has = self.tracks["artist_index"] >= 0
        plain[has] += artists[self.tracks["artist_index"][has]]
        weights = np.zeros((self.shape[1], self.shape[1]))
        edges = table("weight/track_edges.parquet")
        weights[edges["track_index"], edges["neighbour"]] = edges["weight"]
        return plain + state["propagation_weight"] * weights @ plain

    def playlist(self, own: list[int], history: int = 10, heads: int = 2) -> Matrix:
        vectors = self.vectors[own[::-1][:history]]
        size = vectors.shape[1] // heads
        mean, whole = vectors.mean(axis=0), np.zeros(vectors.shape[1])
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            logits = vectors[:, part] @ self.state["attention"][0, part] + mean[part] @ self.state["attention"][1, part]
            logits = np.where(logits > 0, logits, 0.2 * logits) + self.state["gate"][: len(vectors), head]
            share = np.exp(logits - logits.max())
            whole[part] = share @ vectors[:, part] / share.sum()
        whole = whole @ self.state["query"]
        return whole / np.linalg.norm(whole)

    def scores(self, *sides: str, blended: bool = True) -> Matrix:
        """Of all playlists, by the tracks of these sides."""
        return self.of_lists(self.sequences(*sides), blended=blended)

    def of_list(self, own: list[int]) -> Matrix:
        return np.asarray(self.of_lists([own])[0])

    def of_lists(self, given: list[list[int]], *, blended: bool = True) -> Matrix:
        units = self.vectors / np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-12)
        lists = np.stack([self.playlist(own) if own else np.zeros(units.shape[1]) for own in given])
        bias = self.state["popularity"][np.floor(np.log2(np.maximum(self.counts, 1))).astype(int)]
        scores = lists @ units.T + np.where(self.counts > 0, bias, -100)
        if blended:
            weights = recency_of(given, self.shape[1], 5.0, 0.1)
            similar = self.cosines(2.0, 10, distance=4.0)
            total = np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
            near = weights @ similar.T + 0.4 * self.artist_share(weights) * self.popular_of_artist
            near += 0.1 * self.genre_share(weights)
            scores += self.settings["blend"]["weight"] * near / total
        return scores

    def artist_share(self, weights: Matrix) -> Matrix:
        """The share of each track's artist in the weights (rows, tracks)."""
        artist = self.tracks["artist_index"].to_numpy()
        same = (artist[:, None] == artist) & (artist >= 0)
        return weights @ same / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)

    @cached_property
    def genres(self) -> Matrix:
        """The shares of the genres of each track's artist, (tracks, genres)."""
        edges = table("label/genre_edges.parquet")
        of_artist = np.zeros((self.tracks["artist_index"].max() + 2, edges["genre_index"].max() + 1))
        of_artist[edges["artist_index"], edges["genre_index"]] = edges["share"]
        return of_artist[self.tracks["artist_index"]]

    def genre_share(self, weights: Matrix) -> Matrix:
        """How much of the weights (rows, tracks) is of the genres of each track's artist."""
        return weights @ self.genres @ self.genres.T / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)

    @cached_property
    def popular_of_artist(self) -> Matrix:
        """The popularity of each track over that of its artist's most popular one."""
        most = pd.Series(self.counts).groupby(self.tracks["artist_index"]).transform("max")
        return self.counts / np.maximum(most.to_numpy(), 1)

    def users(self, side: str) -> list[int]:
        return sorted(self.splits.loc[self.splits["split"] == side, "playlist_index"].unique().tolist())

    def tests(self, scores: Matrix) -> Lists:
        return Lists(scores, self.users("test"), self.side("train", "val"), self.side("test"))

    def validation(self, scores: Matrix) -> Lists:
        return Lists(scores, self.users("val"), self.train, self.side("val"))
