"""Numbers of playlists, tracks, artists and genres, and the edges between them."""

import numpy as np
import pandas as pd


def number_playlists(playlists: pd.DataFrame, entries: pd.DataFrame) -> pd.DataFrame:
    """The columns of `NumberedPlaylists`: those that have entries."""
    kept = playlists[playlists["playlist"].isin(entries["playlist"])].sort_values("playlist", ignore_index=True)
    return pd.DataFrame({"playlist_index": np.arange(len(kept)), "playlist": kept["playlist"], "name": kept["name"]})


def number_artists(entries: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Artists`."""
    names = np.sort(entries["artist"].dropna().unique())
    return pd.DataFrame({"artist_index": np.arange(len(names)), "artist": pd.Series(names, dtype="str")})


def number_tracks(entries: pd.DataFrame, artists: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Tracks`; of several titles or artists of one id the first that is read counts."""
    first = entries.drop_duplicates("track").sort_values("track", ignore_index=True)
    index = first["artist"].map(artists.set_index("artist")["artist_index"])
    return pd.DataFrame(
        {
            "track_index": np.arange(len(first)),
            "track": first["track"],
            "title": first["title"],
            "artist_index": index.fillna(-1).astype("int64"),
        }
    )


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


def number_entries(entries: pd.DataFrame, playlists: pd.DataFrame, tracks: pd.DataFrame) -> pd.DataFrame:
    """The columns of `NumberedEntries`: positions without gaps."""
    table = pd.DataFrame(
        {
            "playlist_index": entries["playlist"].map(playlists.set_index("playlist")["playlist_index"]),
            "position": entries["position"],
            "track_index": entries["track"].map(tracks.set_index("track")["track_index"]),
        }
    ).sort_values(["playlist_index", "position"], ignore_index=True)
    table["position"] = table.groupby("playlist_index").cumcount()
    return table.astype("int64")
