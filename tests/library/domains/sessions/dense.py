"""The network written out with dense matrices: a second way of computing what it says."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]


def unit(rows: Matrix) -> Matrix:
    """The rows, each of length 1; rows of zeros stay."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def filter_matrix(train: Matrix, factors: int, alpha: float, sharpening: float) -> Matrix:
    """(items, items): what a graph filter makes of the items a user is known by."""
    by_user, by_item = (np.maximum(train.sum(axis=axis), 1) ** -0.5 for axis in (1, 0))
    scaled = by_user[:, None] * train * by_item
    linear, low = scaled.T @ scaled, np.linalg.svd(scaled)[2][:factors]
    series = [np.linalg.matrix_power(-sharpening * linear, power) for power in range(5)]
    sharpened = sum(term / factorial for term, factorial in zip(series, (1, 1, 2, 6, 24), strict=True))
    return np.asarray((linear + alpha * (by_item[:, None] * low.T) @ (low / by_item)) @ sharpened)


@dataclass(frozen=True)
class Dense:
    """The parameters of a `GraphRecommender`, and the matrix (users, songs) of 0 and 1 of its training graph."""

    state: Mapping[str, Matrix]
    genre_weight: float
    temperature: float
    heads: int
    layers: int
    train: Matrix

    @property
    def plain(self) -> Matrix:
        """(songs, dim): embeddings plus weighted means of the genres' vectors."""
        plain = np.zeros((self.train.shape[1], self.state["song"].shape[1]))
        plain[self.state["own"].astype(int)] = self.state["song"]
        if "genre" in self.state:
            plain += self.genre_weight * self.state["genre_share"] @ self.state["genre"]
        return plain

    @property
    def bias(self) -> Matrix:
        """(songs,)."""
        bias = np.full(self.train.shape[1], self.state["common_bias"][0])
        bias[self.state["own"].astype(int)] = self.state["bias"]
        return bias

    def weights(self, known: Matrix) -> Matrix:
        """(heads, users, songs): attention that sums to 1, times √songs of the user / √listeners of the song."""
        inv_sqrt_degree = np.maximum(self.train.sum(axis=0), 1) ** -0.5
        found = []
        for part in np.split(np.arange(self.plain.shape[1]), self.heads):
            of_song, of_user = (self.plain[:, part] @ vector[part] for vector in self.attention)
            rare = known * inv_sqrt_degree
            mean = rare @ of_user / np.maximum(rare.sum(axis=1), 1e-12)
            logits = of_song + mean[:, None]
            strength = known * np.exp(np.where(logits < 0, 0.2 * logits, logits))
            attention = strength / np.maximum(strength.sum(axis=1, keepdims=True), 1e-300)
            found.append(attention * np.sqrt(known.sum(axis=1, keepdims=True)) * inv_sqrt_degree)
        return np.stack(found)

    @property
    def attention(self) -> Matrix:
        return self.state.get("attention", np.zeros((2, self.plain.shape[1])))

    @property
    def songs(self) -> Matrix:
        """(songs, dim): plain songs plus their walks song → listeners → songs."""
        weights = self.weights(self.train)
        total = step = self.plain
        for _ in range(self.layers - 1):
            parts = zip(weights, np.split(step, self.heads, axis=1), strict=True)
            step = np.concatenate([weight.T @ (weight @ part) for weight, part in parts], axis=1)
            total = total + step
        return total

    def users(self, known: Matrix, types: NDArray[np.int64]) -> Matrix:
        """(users, dim) of users known by `known` (users, songs); `types` (users,), -1 where unknown."""
        parts = zip(self.weights(known), np.split(self.songs, self.heads, axis=1), strict=True)
        users = np.concatenate([weight @ part for weight, part in parts], axis=1)
        if "user_type" in self.state:
            kinds = self.state["user_type"]
            users = unit(users) + np.vstack([kinds, kinds.mean(axis=0)])[types]
        return unit(users) / self.temperature

    def scores(self, known: Matrix, types: NDArray[np.int64]) -> Matrix:
        """(users, songs)."""
        return self.users(known, types) @ self.songs.T + self.bias
