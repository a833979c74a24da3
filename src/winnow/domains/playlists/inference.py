"""Using the trained network: completing a playlist, with reasons, and its evaluation on other playlists."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from winnow.domains.playlists import definitions
from winnow.domains.playlists.evaluation import results
from winnow.domains.playlists.metrics import statistics
from winnow.domains.playlists.model.artifacts import (
    prefix_digests,
    read_artifacts,
    read_blend,
    read_chances,
    read_neighbourhood,
)
from winnow.domains.playlists.model.completion import Completer
from winnow.domains.playlists.model.explanations import CompletionExplainer, track_names
from winnow.domains.playlists.model.network import PlaylistGAT
from winnow.domains.playlists.model.sequences import Sequences, sequences_from
from winnow.domains.playlists.source.listing import Piece
from winnow.learn.trained import load_trained
from winnow.pipeline.errors import WinnowError
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.graph import build_graph
from winnow.recommend.judged import compare_on_rows
from winnow.recommend.names import LeftOut, NameIndex, Taken
from winnow.recommend.ranking import Scorer, rank_by
from winnow.recommend.topk import best_of
from winnow.recommend.typed import TypedList, Wanted

SCORES = 4_000_000
"""Scores that are held at a time: with more of them the processor's caches do not hold a step's."""
RIVAL = "item_knn"
"""The strongest recommender without the network that a model's folder carries: item-kNN with recency."""


@dataclass(frozen=True)
class Completion:
    track: str
    name: str
    score: float
    """the model's, without a unit; of a list known by its name alone the same as `chance`"""
    chance: float
    """that the list goes on with it: see `PlaylistCompleter`"""
    reasons: list[tuple[str, str, float]]
    """(track, artist or genre, its name, by how much the score falls without it), the largest effect first"""


@dataclass(frozen=True)
class Completed:
    """The tracks to add to a list, and how its names were understood."""

    playlist: str
    known_by: str
    """tracks, name (its words, as none of its tracks is known) or popularity (nor is a word of its name)"""
    by_words: list[str]
    """of the name, those that it is completed by: names of training playlists have them"""
    tracks: list[Completion]
    taken: list[Taken]
    left_out: list[LeftOut]


class PlaylistCompleter:
    """
    The trained network over its graph; everything comes from the model's folder.

    The chance of a track is that it is one of the next tracks of the list, as many as were held out in training, fitted
    to the validation playlists. For a list known by its name alone it is the share of the training playlists with such
    a name that have the track.
    """

    @torch.no_grad()
    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises WinnowError when `folder` holds no model of this domain and version."""
        model = load_trained(PlaylistGAT, "playlists", device, folder)
        self.known = read_artifacts(folder)
        self.completer = Completer(model, read_blend(folder))
        self.never = torch.nonzero(~model.candidate)[:, 0]
        self.rival = read_neighbourhood(folder).alone()
        self.chances = read_chances(folder)
        self.names = track_names(self.known.tracks, self.known.artists)
        self.count = len(self.names)
        tracks = self.known.tracks
        self.ids = tracks["track"].tolist()
        self.index = NameIndex(self.ids, tracks["title"].tolist(), self.names, tracks["playlists"].to_numpy())

    def complete(self, titles: Sequence[str | Wanted], count: int, name: str = "") -> Completed:
        """`count` tracks for a playlist of titles ("artist – title", a title, or an id); none that it has.

        Fewer where training playlists have no others. Titles that are not known are left out; without any that is, the
        playlist is completed by the words of its name, or by popularity. Raises WinnowError when no track is left to
        add.
        """
        wanted = tuple(each if isinstance(each, Wanted) else Wanted(each) for each in titles)
        return next(self.complete_all([TypedList(wanted, name)], count, explain=True, suggest=True))

    @torch.no_grad()
    def complete_all(
        self, lists: Sequence[TypedList], count: int, *, explain: bool = False, suggest: bool = False
    ) -> Iterator[Completed]:
        """The completion of each list, a block at a time; reasons with `explain` and near names with `suggest` only."""
        block = max(1, SCORES // self.count)
        for start in range(0, len(lists), block):
            some = lists[start : start + block]
            understood = [self.index.understand(each.titles, suggest=suggest) for each in some]
            own_tracks = [each.items for each in understood]
            best = self._best(self._scores(some, own_tracks), own_tracks, count)
            for typed, names, found in zip(some, understood, best, strict=True):
                own = names.items
                if not found:
                    raise WinnowError("the playlist has all tracks of the training data", fix="leave some out")
                explainer = CompletionExplainer(self.completer, self._given([own])) if explain and own else None
                tracks = [
                    Completion(
                        self.ids[track],
                        self.names[track],
                        score,
                        chance,
                        [
                            (each.kind, self._name(each.kind, each.index), each.effect)
                            for each in (explainer.reasons(0, track) if explainer else [])
                        ],
                    )
                    for track, score, chance in found
                ]
                words = [] if own else self.known.words.known(typed.name)
                by = "tracks" if own else "name" if words else "popularity"
                yield Completed(typed.name, by, words, tracks, names.taken, names.left_out)

    def _best(self, scores: Tensor, own: list[list[int]], count: int) -> Iterator[list[tuple[int, float, float]]]:
        """For each list of the tracks `own` those to add, the best first: (track, score, chance)."""
        lengths = [len(tracks) for tracks in own]
        given = np.repeat(np.arange(len(own)), lengths), np.concatenate([*own, []]).astype(np.int64)
        scores[tuple(torch.from_numpy(each) for each in given)] = -torch.inf
        best, numbers = (each.cpu().numpy() for each in best_of(scores, min(count, self.count)))
        chances, listed = best.astype(np.float64), np.isfinite(best)
        meant = listed & (np.array(lengths) > 0)[:, None]
        chances[meant] = self.chances.of(best[meant])
        for row, there in enumerate(listed):
            told = (each[row][there].tolist() for each in (numbers, best, chances))
            yield list(zip(*told, strict=True))

    def _given(self, lists: list[list[int]]) -> Sequences:
        return sequences_from([np.array(own, dtype=np.int64) for own in lists], self.count)

    def _scores(self, lists: Sequence[TypedList], own: list[list[int]]) -> Tensor:
        """The scores of all tracks that may be added, (lists, tracks): of a list without a track chances."""
        rows = np.array([row for row, tracks in enumerate(own) if tracks], dtype=np.int64)
        others = np.array([row for row, tracks in enumerate(own) if not tracks], dtype=np.int64)
        scores = self.completer.scores(self._given(own), rows) if len(rows) else None
        if scores is None or len(others):
            whole = torch.empty(len(lists), self.count, device=self.completer.units.device)
            if scores is not None:
                whole[torch.from_numpy(rows)] = scores
            by_name = self.known.words.scores([lists[row].name for row in others])
            whole[torch.from_numpy(others)] = torch.from_numpy(by_name).to(whole.device)
            scores = whole
        return scores.index_fill_(1, self.never, -torch.inf)

    def _name(self, kind: str, index: int) -> str:
        if kind == "track":
            return self.names[index]
        return str((self.known.artists["artist"] if kind == "artist" else self.known.genres["genre"])[index])

    def find(self, track: str, name: str) -> int | None:
        """The number of a track by its id, else by its name: artist and title, or the title alone."""
        match = self.index.find(Wanted(name, id=track))
        return None if match is None else match.number

    @torch.no_grad()
    def judge(self, pieces: Iterable[Piece], holdout: int | None, *, source: str = "") -> dict[str, Any]:
        """Metrics on playlists of which the last `holdout` tracks (None: as many as in training) are to be found.

        Tracks that the network does not know count as not found. Playlists that it was trained on are left out and
        counted. Raises WinnowError, which names the `source`, when no other playlist has a known track before its last
        ones.
        """
        size = holdout or self.known.holdout_size
        lists, hidden = [], []
        names = ("rows_rejected", "playlists_trained_on", "playlists_not_judged", "tracks_known", "tracks_unknown")
        counts = dict.fromkeys(names, 0)
        for entries in _whole(pieces, counts):
            numbers = self._numbers(entries)
            if self._is_seen(numbers[numbers >= 0]):
                counts["playlists_trained_on"] += 1
                continue
            before, after = numbers[:-size], numbers[-size:]
            counts["tracks_known"] += int((numbers >= 0).sum())
            counts["tracks_unknown"] += int((numbers < 0).sum())
            if not (before >= 0).any():
                counts["playlists_not_judged"] += 1
                continue
            lists.append(before[before >= 0])
            hidden.append(np.where(after >= 0, after, self.count))
        counts["playlists_judged"] = len(lists)
        if not lists:
            listed = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            raise WinnowError(
                f"no playlist is left to judge ({listed})",
                where=source,
                fix="name other playlists, or a smaller --holdout",
            )
        return counts | self._metrics(lists, hidden)

    def _is_seen(self, tracks: NDArray[np.int64]) -> bool:
        """Whether these are the tracks of a training playlist, with what was held out of it or a part of that."""
        prefixes = prefix_digests(tracks)[-self.known.holdout_size - 1 :]
        return not self.known.seen.isdisjoint(prefixes.tolist())

    def _numbers(self, entries: pd.DataFrame) -> NDArray[np.int64]:
        """The numbers of a playlist's tracks, each once; -1 for those the network does not know."""
        numbers = []
        once = entries.drop_duplicates("track")
        for track, title, artist in zip(once["track"], once["title"], once["artist"], strict=True):
            number = self.find(track, title if pd.isna(artist) else artist + definitions.JOIN + title)
            if number is None or number not in numbers:
                numbers.append(-1 if number is None else number)
        return np.array(numbers, dtype=np.int64)

    def _metrics(self, lists: list[NDArray[np.int64]], hidden: list[NDArray[np.int64]]) -> dict[str, Any]:
        """Those that are defined. All that the network does not know is one more track, which no list has."""
        given = sequences_from(lists, self.count)
        owner = np.repeat(np.arange(len(lists)), [len(each) for each in hidden])
        known = np.repeat(np.arange(len(lists)), given.lengths()), given.track
        graph = build_graph(known, (len(lists), self.count + 1))
        held = evaluation_set(graph, hidden=(owner, np.concatenate(hidden)), known=known)
        popularity = np.append(self.known.tracks["playlists"], 0)
        common = torch.from_numpy(popularity[:-1].astype(np.float32))
        scorers: dict[str, Scorer] = {
            "model": self.completer.scorer(given),
            RIVAL: lambda numbers: torch.from_numpy(self.rival.scores(given, numbers)),
            "popularity": lambda numbers: common.repeat(len(numbers), 1),
        }
        artist = np.append(self.known.tracks["artist_index"], -1)
        tables = {}
        for name, scorer in scorers.items():
            ranked = rank_by(_never_listed(scorer), held, places=definitions.PLACES, block=max(1, SCORES // self.count))
            tables[name] = statistics(results.per_playlist(name, ranked, held, popularity, artist))
        return compare_on_rows(tables, len(lists))


def _never_listed(scorer: Scorer) -> Scorer:
    """With one more track, the last, which comes after all others."""
    return lambda numbers: pad(scorer(numbers), (0, 1), value=-torch.inf)


def _whole(pieces: Iterable[Piece], counts: dict[str, int]) -> Iterable[pd.DataFrame]:
    """The entries of each playlist, in order; `counts` the rejected rows."""
    parts = []
    for piece in pieces:
        counts["rows_rejected"] += len(piece.rejected)
        parts.append(piece.entries)
    entries = pd.concat(parts, ignore_index=True).sort_values(["playlist", "position"])
    return (own for _, own in entries.groupby("playlist"))
