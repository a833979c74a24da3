"""Using the trained network: completing a playlist, with reasons, and its evaluation on other playlists."""

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from winnow.domains.playlists import definitions
from winnow.domains.playlists.evaluation import results
from winnow.domains.playlists.metrics import statistics
from winnow.domains.playlists.model.artifacts import read_artifacts, read_blend
from winnow.domains.playlists.model.completion import Completer
from winnow.domains.playlists.model.explanations import CompletionExplainer, track_names
from winnow.domains.playlists.model.network import PlaylistGAT
from winnow.domains.playlists.model.sequences import sequences_from
from winnow.domains.playlists.source.listing import Piece
from winnow.judge.intervals import values
from winnow.learn.trained import load_trained
from winnow.pipeline.errors import WinnowError
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.graph import build_graph
from winnow.recommend.ranking import Scorer, rank_by
from winnow.recommend.topk import best_of

BLOCK = 256
DASH = re.compile(r"\s+[-–—]\s+")


@dataclass(frozen=True)
class Completion:
    track: str
    name: str
    score: float
    reasons: list[tuple[str, str, float]]
    """(track, artist or genre, its name, by how much the score falls without it), the largest effect first"""


class PlaylistCompleter:
    """The trained network over its graph; everything comes from the model's folder."""

    @torch.no_grad()
    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises WinnowError when `folder` holds no model of this domain and version."""
        model = load_trained(PlaylistGAT, "playlists", device, folder)
        self.known = read_artifacts(folder)
        self.completer = Completer(model, read_blend(folder))
        self.names = track_names(self.known.tracks, self.known.artists)
        self.count = len(self.names)
        tracks = self.known.tracks
        often_last = tracks.sort_values(["playlists", "track_index"], ascending=[True, False])["track_index"].tolist()
        self._by_id = dict(zip(tracks["track"], tracks["track_index"], strict=True))
        self._by_name = {_plain(self.names[number]): number for number in often_last}
        self._by_title = {_plain(tracks["title"].iloc[number]): number for number in often_last}

    @torch.no_grad()
    def complete(self, names: list[str], count: int) -> list[Completion]:
        """`count` tracks for a playlist of tracks given as "artist – title", title or id; none that it has.

        Fewer where training playlists have no others. Raises WinnowError for a track that is not known, with the
        nearest ones, and when none is left to add.
        """
        own = list(dict.fromkeys(self._track(name) for name in names))
        given = sequences_from([np.array(own)], self.count)
        explainer = CompletionExplainer(self.completer, given)
        scores = self.completer.scores(given, np.array([0]))[0]
        left = self.completer.model.candidate.clone()
        left[torch.tensor(own)] = False
        if not left.any():
            raise WinnowError("the playlist has all tracks of the training data", fix="leave some out")
        best = best_of(scores.masked_fill(~left, -torch.inf)[None], min(count, int(left.sum())))
        return [
            Completion(
                str(self.known.tracks["track"].iloc[track]),
                self.names[track],
                score,
                [(each.kind, self._name(each.kind, each.index), each.effect) for each in explainer.reasons(0, track)],
            )
            for score, track in zip(*(part[0].tolist() for part in best), strict=True)
        ]

    def _name(self, kind: str, index: int) -> str:
        if kind == "track":
            return self.names[index]
        return str((self.known.artists["artist"] if kind == "artist" else self.known.genres["genre"])[index])

    def _track(self, name: str) -> int:
        """The number of a track; of several with this name the one in most playlists."""
        number = self.find(name, name)
        if number is None:
            near = difflib.get_close_matches(_plain(name), self._by_name, n=3, cutoff=0.5)
            listed = [self.names[self._by_name[each]] for each in near] or self.names[:3]
            raise WinnowError(f"there is no track {name!r} in the training data", fix=f"such as {'; '.join(listed)}")
        return number

    def find(self, track: str, name: str) -> int | None:
        """The number of a track by its id, else by its name: artist and title, or the title alone."""
        plain = _plain(name)
        for known, wanted in ((self._by_id, track), (self._by_name, plain), (self._by_title, plain)):
            if wanted in known:
                return int(known[wanted])
        return None

    @torch.no_grad()
    def judge(self, pieces: Iterable[Piece], holdout: int | None) -> dict[str, Any]:
        """Metrics on playlists of which the last `holdout` tracks (None: as many as in training) are to be found.

        Tracks that the network does not know count as not found. Raises WinnowError when no playlist has a known track
        before its last ones.
        """
        size = holdout or self.known.holdout_size
        lists, hidden = [], []
        counts = {"rows_rejected": 0, "playlists_not_judged": 0, "tracks_unknown": 0}
        for entries in _whole(pieces, counts):
            numbers = self._numbers(entries)
            before, after = numbers[:-size], numbers[-size:]
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
                f"no playlist is left to judge ({listed})", fix="name other playlists, or a smaller --holdout"
            )
        return counts | self._metrics(lists, hidden)

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
            "popularity": lambda numbers: common.repeat(len(numbers), 1),
        }
        artist = np.append(self.known.tracks["artist_index"], -1)
        found = {}
        for name, scorer in scorers.items():
            ranked = rank_by(_never_listed(scorer), held, places=definitions.PLACES, block=BLOCK)
            table = results.per_playlist(name, ranked, held, popularity, artist)
            found[name] = values(statistics(table), len(table))
        return found


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


def _plain(name: str) -> str:
    """For comparison: lower case, and one kind of dash between artist and title."""
    return DASH.sub(definitions.JOIN, name.strip().lower())
