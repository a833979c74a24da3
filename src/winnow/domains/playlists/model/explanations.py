"""
Why a track completes a playlist, computed by the network itself.

The effect of a track of the playlist is by how much the score falls without it, its attention going to the others (the
gates of the tracks before it stay as they were); the effect of the recommended track's artist or of a genre is by how
much it falls without that part of the track's vector, and without what the artist counts in the blend. `score_without`
takes the track out of the playlist, or the artist or genre from the track in the whole graph, and computes all again.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from winnow.domains.playlists import definitions
from winnow.domains.playlists.model.completion import Completer
from winnow.domains.playlists.model.sequences import Sequences, sequences_from
from winnow.domains.playlists.params import Evaluate
from winnow.recommend.explanations import Reason, sort_reasons
from winnow.recommend.ranking import Ranking


class CompletionExplainer:
    """The reasons for completing the playlists `given` (the explainer of `recommend.explanations`)."""

    def __init__(self, completer: Completer, given: Sequences) -> None:
        self.completer, self.given = completer, given

    def score(self, playlist: int, track: int) -> float:
        """The score of a track."""
        return float(self.completer.scores(self.given, np.array([playlist]))[0, track])

    def reasons(self, user: int, item: int) -> list[Reason]:
        """All reasons for adding track `item` to playlist `user`, the one with the largest effect first."""
        own = self.given.track[self.given.indptr[user] : self.given.indptr[user + 1]][::-1]
        vector, without = self._without_each(own[: self.completer.model.history])
        effects = np.zeros(len(own))
        effects[: len(without)] = ((vector - without) @ self.completer.units[item]).cpu().numpy()
        blended, blended_part = self._blended(item, own)
        effects += blended
        found = [Reason("track", *pair) for pair in zip(own.tolist(), effects.tolist(), strict=True)]
        score = float(vector @ self.completer.units[item])
        for kind, index, part in self._parts(item):
            rest = normalize(self.completer.vectors[item] - part, dim=0)
            found.append(Reason(kind, index, score - float(vector @ rest) + blended_part(kind, index)))
        return sort_reasons(found)

    def _without_each(self, own: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The playlist's vector, (dim,), and without each of its tracks, (tracks, dim)."""
        model = self.completer.model
        tracks = torch.from_numpy(own.copy()).to(self.completer.units.device)
        given = self.completer.vectors[tracks][None]
        inside = torch.ones(1, len(own), dtype=torch.bool, device=given.device)
        if model.convolution is not None:
            return self._convolved_without_each(given, tracks)
        strength = model.attend(given, inside)
        parts = strength[..., None] * given.view(*given.shape[:2], model.heads, -1)
        whole = parts.sum(dim=1)
        others = (whole[:, None] - parts)[0] / (1 - strength[0, :, :, None]).clamp(min=1e-6)
        vector = model.project(whole.flatten(1))[0]
        if len(own) == 1:  # nothing is left to complete
            return vector, torch.zeros_like(vector)[None]
        return vector, model.project(others.flatten(1))

    def _convolved_without_each(self, given: Tensor, tracks: Tensor) -> tuple[Tensor, Tensor]:
        """`_without_each` by another convolution: computed anew for each, the gates of the others as they were."""
        model, count = self.completer.model, given.shape[1]
        others = ~torch.eye(count, dtype=torch.bool, device=given.device)
        every = torch.ones(1, count, dtype=torch.bool, device=given.device)
        inside = torch.cat([every, others]) if count > 1 else every
        padded = given.expand(len(inside), -1, -1) * inside[:, :, None]
        vectors = model.encode(padded, inside, tracks.expand(len(inside), -1))
        return vectors[0], vectors[1:] if count > 1 else torch.zeros_like(vectors)

    def _blended(self, track: int, own: NDArray[np.int64]) -> tuple[NDArray[np.float64], Callable[[str, int], float]]:
        """By how much the blend's part falls without each of `own` (last one first); and without artist or genre."""
        blend = self.completer.blend
        if blend is None:
            return np.zeros(len(own)), lambda _kind, _index: 0.0
        weights = np.exp(-np.arange(len(own)) / blend.decay) + blend.floor
        total = weights.sum()
        near = weights * blend.similar[own][:, [track]].toarray().ravel()
        of_artist = weights * ((blend.artist[own] == blend.artist[track]) & (blend.artist[own] >= 0))
        of_artist = of_artist * float(blend.of_artist[track])
        genres = blend.genres[track].toarray().ravel() * blend.genre_weight
        of_genres = weights[:, None] * (blend.genres[own].toarray() * genres)
        shared = of_artist + of_genres.sum(axis=1)
        left = np.maximum(total - weights, 1e-9)
        rest = (near.sum() - near + (shared.sum() - shared) / left) / left
        effects = (near.sum() + shared.sum() / total) / total - np.where(total > weights, rest, 0)
        scale = blend.weight / total**2

        def without(kind: str, index: int) -> float:
            return float(scale * (of_artist.sum() if kind == "artist" else of_genres[:, index].sum()))

        return np.asarray(blend.weight * effects), without

    def _parts(self, track: int) -> list[tuple[str, int, Tensor]]:
        """The artist's and each genre's part of a track's vector."""
        model = self.completer.model
        artist = int(model.artist_of[track])
        if artist < 0 or "artists" in model.without:
            return []
        if "genres" in model.without:
            return [("artist", artist, model.artist[artist])]
        shares = model.genre_share[artist]
        genres = [
            ("genre", int(model.genre_of[artist, place]), shares[place] * model.genre[model.genre_of[artist, place]])
            for place in torch.nonzero(shares)[:, 0].tolist()
        ]
        return [("artist", artist, model.artist[artist]), *genres]

    def score_without(self, user: int, item: int, reason: Reason) -> float:
        """The score of track `item` with the reason removed: the track from the playlist, or the part of the vector."""
        own = self.given.track[self.given.indptr[user] : self.given.indptr[user + 1]]
        if reason.kind == "track":
            left = sequences_from([own[own != reason.index]], self.given.tracks)
            if not len(left.track):
                return 0.0
            return float(self.completer.scores(left, np.array([0]))[0, item])
        parts = {(kind, index): part for kind, index, part in self._parts(item)}
        vector, units = self._with_other_track(item, parts[reason.kind, reason.index], own)
        alone = sequences_from([own], self.given.tracks)
        score = float(vector @ units + self.completer.bias[item])
        if self.completer.blend is not None:
            score += float(self.completer.blend.without(item, reason).scores(alone, np.array([0]))[0, item])
        return score

    def _with_other_track(self, item: int, part: Tensor, own: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """The vectors of playlist `own` and of track `item`, whose plain vector lacks `part` in the whole graph."""
        model = self.completer.model
        plain = self.completer.plain.clone()
        plain[item] -= part
        last = own[::-1][: model.history].copy()
        rows = torch.from_numpy(np.append(last, item)).to(plain.device)
        vectors = model.full(plain, rows)
        inside = torch.ones(1, len(last), dtype=torch.bool, device=plain.device)
        return model.encode(vectors[:-1][None], inside, rows[None, :-1])[0], normalize(vectors[-1], dim=0)


def explain(
    explainer: CompletionExplainer,
    ranked: Ranking,
    tables: dict[str, pd.DataFrame],
    params: Evaluate,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The `Completed` table of some playlists drawn at random; `tables` has playlists, tracks, artists and genres."""
    tracks = track_names(tables["tracks"], tables["artists"])
    names: dict[str, Sequence[str]] = {
        "track": tracks,
        "artist": tables["artists"]["artist"].tolist(),
        "genre": tables["genres"]["genre"].tolist(),
    }
    listed = tables["playlists"]
    rows = []
    for place in np.sort(rng.permutation(len(ranked.users))[: params.explained_playlists]):
        playlist = int(ranked.users[place])
        own = explainer.given.track[explainer.given.indptr[playlist] : explainer.given.indptr[playlist + 1]]
        first = ranked.lists[place][: params.explained_tracks]
        for position, track in enumerate(first[first >= 0].tolist(), 1):
            score = explainer.score(playlist, track)
            rows += [
                {
                    "playlist": f"{playlist} {listed['name'].iloc[playlist]}".strip(),
                    "given": " · ".join(tracks[number] for number in own[-3:]),
                    "place": position,
                    "track": tracks[track],
                    "found": bool(ranked.hits[place, position - 1]),
                    "score": score,
                    "kind": reason.kind,
                    "reason": str(names[reason.kind][reason.index]),
                    "effect": reason.effect,
                }
                for reason in explainer.reasons(playlist, track)[: params.reasons]
            ]
    texts = ("playlist", "given", "track", "kind", "reason")
    return pd.DataFrame(rows).astype(dict.fromkeys(texts, "str"))


def track_names(tracks: pd.DataFrame, artists: pd.DataFrame) -> list[str]:
    """Artist and title of every track of `Tracks`; the title alone where there is no artist."""
    by_number = artists["artist"].tolist()
    return [
        by_number[artist] + definitions.JOIN + title if artist >= 0 else title
        for title, artist in zip(tracks["title"], tracks["artist_index"], strict=True)
    ]
