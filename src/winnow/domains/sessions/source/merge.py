"""Data sets to one: duplicates merged, plays numbered, genres as shares."""

import pandas as pd

from winnow.domains.sessions.source.listening import PLAYS, Listening


def merge_plays(parts: list[Listening]) -> pd.DataFrame:
    """The columns of `Plays`, in the order user, time, song, whatever the order in the files.

    Repeated rows are merged into one. Where a source has no times, rows of the same user and song are one
    with their plays added (a row that both of a source's sides name belongs to its training side).
    """
    plays = pd.concat([part.plays for part in parts], ignore_index=True)
    timed = plays["timestamp"].notna()
    same = ["user", "song", "timestamp"]
    once = plays[timed].sort_values([*same, "share_played", "row"]).drop_duplicates(same)
    counted = plays[~timed].drop_duplicates(list(PLAYS))
    rules = {name: "first" for name in PLAYS if name not in {"user", "song"}} | {"plays": "sum", "side": "max"}
    counted = counted.groupby(["user", "song"], sort=True).agg(rules).reset_index()
    merged = pd.concat([once[list(PLAYS)], counted[list(PLAYS)]], ignore_index=True).astype(PLAYS)
    merged = merged.sort_values(["user", "timestamp", "song"], ignore_index=True)
    merged.insert(0, "play", range(len(merged)))
    return merged


def catalogue(plays: pd.DataFrame, parts: list[Listening]) -> pd.DataFrame:
    """The columns of `Catalogue`."""
    titles = pd.concat([part.titles for part in parts])
    known = dict(zip(titles.index[::-1], titles[::-1], strict=True))  # the first of several titles stays
    songs = pd.Series(sorted(plays["song"].unique()), dtype="str")
    return pd.DataFrame({"song": songs, "title": pd.Series([known.get(song, song) for song in songs], dtype="str")})


def song_genres(songs: "pd.Series[str]", parts: list[Listening], most: int) -> pd.DataFrame:
    """The columns of `SongGenres` for known songs, over the `most` genres that most songs have."""
    counts = pd.concat([part.genres for part in parts], ignore_index=True)
    counts = counts[counts["song"].isin(songs)].groupby(["song", "genre"])["count"].sum().reset_index()
    frequency = counts.groupby("genre")["song"].size().rename("songs").reset_index()
    frequent = frequency.sort_values(["songs", "genre"], ascending=[False, True]).head(most)["genre"]
    counts = counts[counts["genre"].isin(frequent)].sort_values(["song", "genre"])
    share = counts["count"] / counts.groupby("song")["count"].transform("sum")
    return pd.DataFrame({"song": counts["song"], "genre": counts["genre"], "share": share.astype(float)})
