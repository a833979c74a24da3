"""
Playlists made from a seed.

All tracks lie on a circle: those of an artist beside each other, each on an arc as long as it is popular, and the
circle is cut into genres. A playlist wanders: its next track is drawn near the one before, often of the same artist,
and now and then from anywhere. So what comes next depends on the last tracks most, popular tracks are in many
playlists, and most tracks in few, of which the artist says more than the playlists that have them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.playlists.params import Synthetic
from winnow.domains.playlists.source.listing import Piece, make_piece
from winnow.domains.playlists.source.names import artist_name, playlist_name, track_title

PIECE = 1000
"""Playlists made at a time."""
SAME_ARTIST = 0.15
"""Share of tracks drawn from the artist of the track before."""
WIDTH = 0.012
"""Standard deviation of a step along the circle."""
SECOND_GENRE = 0.3
"""Share of artists with a second genre."""
NAMES = ("rock", "pop", "electronic", "hip hop", "jazz", "metal", "folk", "soul", "indie", "classical")


@dataclass(frozen=True)
class World:
    """The generator's circle."""

    artist: NDArray[np.int64]
    """(tracks,), rising along the circle"""
    ends: NDArray[np.float64]
    """(tracks,): where each track's arc ends; the last one at 1"""
    bounds: NDArray[np.float64]
    """(artists + 1,): where the artists' arcs begin, and 1"""
    genres: pd.DataFrame
    """the columns of `ArtistGenres`"""
    genre: NDArray[np.str_]
    """(artists,): each artist's main genre"""


def make_world(params: Synthetic, rng: np.random.Generator) -> World:
    """Artists, tracks and genres."""
    fame = rng.lognormal(0.0, 1.0, params.artists)
    extra = rng.multinomial(params.tracks - params.artists, fame / fame.sum())
    artist = np.repeat(np.arange(params.artists), extra + 1)
    popularity = rng.lognormal(0.0, 1.2, params.tracks) * fame[artist]
    ends = np.cumsum(popularity) / popularity.sum()
    ends[-1] = 1.0
    last = np.flatnonzero(np.append(np.diff(artist) > 0, True))
    bounds = np.append(0.0, ends[last])
    names = np.array([*NAMES, *(f"genre {number:03d}" for number in range(len(NAMES), params.genres))])[: params.genres]
    middle = (bounds[1:] + bounds[:-1]) / 2
    first = np.minimum((middle * params.genres).astype(int), params.genres - 1)
    second = rng.integers(params.genres, size=params.artists)
    has = (rng.random(params.artists) < SECOND_GENRE) & (second != first)
    labels = pd.Series([artist_name(number).lower() for number in range(params.artists)], dtype="str")
    genres = pd.concat(
        [
            pd.DataFrame({"artist": labels, "genre": names[first], "count": 7.0}),
            pd.DataFrame({"artist": labels[has], "genre": names[second[has]], "count": 3.0}),
        ]
    ).astype({"genre": "str"})
    return World(artist, ends, bounds, genres.sort_values(["artist", "genre"], ignore_index=True), names[first])


def make_pieces(params: Synthetic, world: World, rng: np.random.Generator) -> Iterator[Piece]:
    """The playlists, a thousand at a time."""
    for start in range(0, params.playlists, PIECE):
        count = min(PIECE, params.playlists - start)
        yield _piece(start, *_wander(params, world, count, rng), world)


def _wander(
    params: Synthetic, world: World, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The playlist and the track of every entry, in order; a track that its playlist has already is left out."""
    lengths = np.maximum(3, rng.gamma(2.5, params.mean_length / 2.5, count).round().astype(int))
    place = rng.random(count)
    drawn = np.empty((count, int(lengths.max())), dtype=np.int64)
    for position in range(drawn.shape[1]):
        near = place + rng.normal(0.0, WIDTH, count)
        own = world.artist[_track_at(world, place)]
        same = world.bounds[own] + rng.random(count) * (world.bounds[own + 1] - world.bounds[own])
        chosen = np.where(rng.random(count) < SAME_ARTIST, same, near) % 1.0
        stray = rng.random(count) < params.explore
        drawn[:, position] = _track_at(world, np.where(stray, rng.random(count), chosen))
        place = np.where(stray, place, chosen)
    inside = np.arange(drawn.shape[1]) < lengths[:, None]
    playlist, _ = np.nonzero(inside)
    track = drawn[inside]
    _, first = np.unique(playlist * len(world.artist) + track, return_index=True)
    kept = np.sort(first)
    return playlist[kept], track[kept]


def _track_at(world: World, place: NDArray[np.float64]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.minimum(np.searchsorted(world.ends, place, side="right"), len(world.ends) - 1)
    return found


def _piece(start: int, playlist: NDArray[np.int64], track: NDArray[np.int64], world: World) -> Piece:
    first = np.searchsorted(playlist, playlist)
    own, starts = np.unique(playlist, return_index=True)
    genre = world.genre[world.artist[track[starts]]]
    return make_piece(
        [
            (number, f"p{number:07d}", playlist_name(number, str(name)))
            for number, name in zip((own + start).tolist(), genre, strict=True)
        ],
        {
            "playlist": (playlist + start).tolist(),
            "position": (np.arange(len(playlist)) - first).tolist(),
            "track": [f"t{number:07d}" for number in track],
            "title": [track_title(number) for number in track],
            "artist": [artist_name(number) for number in world.artist[track]],
        },
    )
