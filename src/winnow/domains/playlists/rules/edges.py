"""Numbers of playlists, tracks, artists and genres, and the edges between them; in SQL where a table may be large."""

import numpy as np
import pandas as pd

PLAYLISTS = """
create table numbered_playlists as
select row_number() over (order by playlist) - 1 as playlist_index, playlist, name
from playlists semi join entries using (playlist) order by playlist
"""
"""With the columns of `NumberedPlaylists`: those that have entries."""
ARTISTS = """
create table artists as
select row_number() over (order by artist) - 1 as artist_index, artist
from (select distinct artist from entries where artist is not null) order by artist
"""
"""With the columns of `Artists`."""
TRACKS = """
create table tracks as
with firsts as (select track, min(row) as row from entries group by track)
select row_number() over (order by track) - 1 as track_index, track, title, coalesce(artist_index, -1) as artist_index
from entries semi join firsts using (track, row) left join artists using (artist) order by track
"""
"""With the columns of `Tracks`; of several titles or artists of one id the first that is read counts."""
ENTRIES = """
select playlist_index, row_number() over (partition by playlist_index order by position, entries.row) - 1 as position,
    track_index
from entries join numbered_playlists using (playlist) join tracks using (track) order by playlist_index, position
"""
"""The columns of `NumberedEntries`: positions without gaps."""


def number_genres(given: pd.DataFrame, artists: pd.DataFrame, most: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of `Genres` and of `GenreEdges`: the `most` frequent genres of each artist, found by its name."""
    index = pd.DataFrame({"artist": artists["artist"].str.lower(), "artist_index": artists["artist_index"]})
    edges = index.merge(given, on="artist").sort_values(
        ["artist_index", "count", "genre"], ascending=[True, False, True]
    )
    edges = edges[edges.groupby("artist_index").cumcount() < most]
    names = np.sort(edges["genre"].unique())
    genres = pd.DataFrame({"genre_index": np.arange(len(names)), "genre": pd.Series(names, dtype="str")})
    table = pd.DataFrame(
        {
            "artist_index": edges["artist_index"],
            "genre_index": edges["genre"].map(genres.set_index("genre")["genre_index"]),
            "share": edges["count"] / edges.groupby("artist_index")["count"].transform("sum"),
        }
    ).astype({"artist_index": "int64", "genre_index": "int64", "share": "float64"})
    return genres, table.sort_values(["artist_index", "genre_index"], ignore_index=True)
