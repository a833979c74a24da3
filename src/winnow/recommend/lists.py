"""Novelty, diversity, coverage and exposure of recommended lists."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:  # it imports torch
    from winnow.recommend.ranking import Ranking


def list_novelty(lists: NDArray[np.int64], popularity: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean self-information of a list's items in bits, (users,), from shares of interactions (plus one each)."""
    information = -np.log2((popularity + 1) / (popularity.sum() + len(popularity)))
    listed = lists >= 0
    found: NDArray[np.float64] = np.where(listed, information[lists], 0).sum(axis=1) / np.maximum(listed.sum(axis=1), 1)
    return found


def list_diversity(lists: NDArray[np.int64], features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of 1 - cosine of the features (items, features) over the pairs of a list, (users,).

    Items without any feature are left out; NaN for a list with fewer than two others.
    """
    length = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, length, out=np.zeros_like(features), where=length > 0)
    found = np.full(len(lists), np.nan)
    if features.shape[1] == 0:
        return found
    for row, items in enumerate(lists):
        own = unit[items[items >= 0]]
        own = own[own.any(axis=1)]
        count = len(own)
        if count > 1:
            total = float(np.square(own.sum(axis=0)).sum())
            found[row] = np.clip(1 - (total - count) / (count * (count - 1)), 0, 1)
    return found


def distinct_groups(lists: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distinct groups in a list over its items that have one, (users,); `group` (items,) is -1 for items without.

    NaN for a list without any.
    """
    found = np.full(len(lists), np.nan)
    for row, items in enumerate(lists):
        own = group[items[items >= 0]]
        own = own[own >= 0]
        if len(own):
            found[row] = len(np.unique(own)) / len(own)
    return found


def challenge_r_precision(
    lists: NDArray[np.int64], hidden: Sequence[NDArray[np.int64]], group: NDArray[np.int64]
) -> NDArray[np.float64]:
    """
    R-precision of the RecSys Challenge 2018, (users,): (|S_T ∩ G_T| + ¼ |S_A ∩ G_A|) / |G_T|.

    G_T are the `hidden` items of each user and S_T as many first items of `lists` (users, places); G_A and S_A are
    their distinct groups, the artists of tracks: `group` (items,), -1 without one. At most 1.25. Source: Zamani,
    Schedl, Lamere and Chen 2019, "An Analysis of Approaches Taken in the ACM RecSys Challenge 2018".
    """
    found = np.zeros(len(lists))
    for row, items in enumerate(hidden):
        first = lists[row, : len(items)]
        first = first[first >= 0]
        artists = np.intersect1d(group[first], group[items])
        found[row] = (np.isin(first, items).sum() + 0.25 * (artists >= 0).sum()) / len(items)
    return found


def coverage(ranked: "Ranking", items: int, length: int) -> float:
    """Share of all items that are in the first `length` places of some list."""
    lists = ranked.lists[:, :length]
    return len(np.unique(lists[lists >= 0])) / items


def exposure(name: str, ranked: "Ranking", popularity: NDArray[np.int64], length: int) -> pd.DataFrame:
    """The `Exposure` rows of a recommender: how the first `length` places are shared by tenths of the items."""
    order = np.argsort(np.lexsort((np.arange(len(popularity)), popularity)))
    decile = order * 10 // len(popularity)
    lists = ranked.lists[:, :length]
    places = np.bincount(decile[lists[lists >= 0]], minlength=10)
    table = pd.DataFrame({"recommender": name, "decile": np.arange(1, 11), "share": places / max(int(places.sum()), 1)})
    return table.astype({"recommender": "str"})
