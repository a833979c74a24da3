"""What is found by how few tracks are known of a playlist, as in the tables of the RecSys Challenge 2018."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from winnow.domains.playlists import definitions
from winnow.domains.playlists.evaluation.baselines import Given
from winnow.domains.playlists.evaluation.results import per_playlist
from winnow.domains.playlists.evaluation.rivals import Fitted
from winnow.domains.playlists.model.sequences import Sequences, sequences_from, sequences_of
from winnow.recommend.evaluation_set import EvaluationSet, evaluation_set
from winnow.recommend.graph import build_graph
from winnow.recommend.ranking import Scorer, rank_by
from winnow.recommend.words import NameWords

METRICS = ("recall_at_10", "challenge_r_precision", "ndcg_at_500", "clicks")


def unseen_playlists(
    splits: pd.DataFrame, shape: tuple[int, int], held_out: int
) -> tuple[NDArray[np.int64], Sequences, list[NDArray[np.int64]]]:
    """Playlists that training has not seen: their numbers, the tracks before the last `held_out`, and those."""
    rows = splits[splits["split"] == definitions.UNSEEN]
    every = sequences_of(rows, *shape)
    numbers = np.flatnonzero(every.lengths() > held_out)
    some = every.some(numbers)
    lists = np.split(some.track, some.indptr[1:-1]) if len(some) else []
    known = sequences_from([own[:-held_out] for own in lists], shape[1])
    return numbers, known, [np.sort(own[-held_out:]) for own in lists]


def with_seeds(known: Sequences, hidden: Sequence[NDArray[np.int64]], seeds: int) -> tuple[Sequences, EvaluationSet]:
    """The last `seeds` tracks of every playlist that has as many, and what is to be found; rows keep their numbers.

    All known tracks are left out of the lists, however few of them are told.
    """
    rows = np.flatnonzero(known.lengths() >= max(seeds, 1))
    lists = [known.track[known.indptr[row] : known.indptr[row + 1]] for row in range(len(known))]
    given = sequences_from([own[len(own) - min(seeds, len(own)) :] for own in lists], known.tracks)
    shape = len(known), known.tracks
    owner = np.repeat(np.arange(len(given)), given.lengths())
    every = np.repeat(np.arange(len(known)), known.lengths()), known.track
    graph = build_graph((owner, given.track), shape)
    held = evaluation_set(graph, hidden=_pairs(rows, hidden), known=every)
    return given, held


def _pairs(rows: NDArray[np.int64], hidden: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    own = [hidden[row] for row in rows]
    owner = np.repeat(rows, [len(each) for each in own])
    return owner.astype(np.int64), np.concatenate([*own, np.zeros(0, dtype=np.int64)]).astype(np.int64)


def seeds_table(
    recommenders: Mapping[str, Fitted],
    words: NameWords,
    names: Sequence[str],
    splits: pd.DataFrame,
    given: Given,
    artist: NDArray[np.int64],
    block: int,
) -> pd.DataFrame:
    """The `Seeds` of the test playlists and of those that training has not seen; `names` are those of all."""
    tests = given.test.users
    shape = len(names), len(artist)
    numbers, known, hidden = unseen_playlists(splits, shape, int(max(len(each) for each in given.test.hidden)))
    parts = (
        (False, tests, given.known.some(tests), given.test.hidden),
        (True, numbers, known, hidden),
    )
    tables = [
        by_seeds(recommenders, words, [names[each] for each in own], before, after, artist, unseen=unseen, block=block)
        for unseen, own, before, after in parts
        if len(own)
    ]
    return pd.concat(tables, ignore_index=True)


def by_seeds(
    recommenders: Mapping[str, Fitted],
    words: NameWords,
    names: Sequence[str],
    known: Sequences,
    hidden: Sequence[NDArray[np.int64]],
    artist: NDArray[np.int64],
    *,
    unseen: bool,
    block: int,
) -> pd.DataFrame:
    """The `Seeds` rows of recommenders over the playlists called `names`, of which `hidden` tracks are to be found.

    Without a seed the model goes by the words of the name, as completing does, and of the others only popularity by
    itself.
    """
    found = []
    for seeds in definitions.SEEDS:
        given, held = with_seeds(known, hidden, seeds)
        if not len(held.users):
            continue
        for name, fitted in recommenders.items():
            if seeds:
                scorer = fitted(given)
            elif name == "model":
                scorer = _by_name(words, names)
            elif name == "popularity":
                scorer = _by_name(words, [""] * len(names))
            else:
                continue
            ranked = rank_by(scorer, held, places=definitions.PLACES, block=block)
            table = per_playlist(name, ranked, held, words.popularity, artist)
            means = {metric: float(table[metric].mean()) for metric in METRICS}
            about = {"recommender": name, "unseen": unseen, "seeds": seeds, "playlists": len(table)}
            found.append(about | means)
    return pd.DataFrame(found).astype({"recommender": "str"})


def _by_name(words: NameWords, names: Sequence[str]) -> Scorer:
    return lambda numbers: torch.from_numpy(words.scores([names[number] for number in numbers]))
