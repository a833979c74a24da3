"""Data sets to one: duplicates merged, plays numbered, genres as shares."""

import pandas as pd

from winnow.domains.sessions.source.listening import PLAYS, Listening

ATTRIBUTES = ["skipped", "share_played", "official_split"]
"""What distinguishes rows of the same user and song without a time."""


def merge_plays(parts: list[Listening]) -> pd.DataFrame:
    """The columns of `Plays`, in the order user, time, song, whatever the order in the files.

    A user plays a song once at a time: of several rows for it the one that counts most stays, not skipped before
    unknown before skipped, then by the largest share played. Rows without a time that are alike are one, with their
    plays added; what was skipped or cut short stays apart, for the filter to judge.
    """
    plays = pd.concat([part.plays for part in parts], ignore_index=True)
    timed = plays["timestamp"].notna()
    same = ["user", "song", "timestamp"]
    order = plays.assign(doubt=plays["skipped"].astype("Float64").fillna(0.5))[timed]
    order = order.sort_values([*same, "doubt", "share_played", "plays"], ascending=[True] * 4 + [False] * 2)
    once = order.drop_duplicates(same)
    counted = plays[~timed].copy()
    alike = ["user", "song", *ATTRIBUTES]
    counted["plays"] = counted.groupby(alike, dropna=False)["plays"].transform("sum")
    counted = counted.drop_duplicates(alike)
    merged = pd.concat([once[list(PLAYS)], counted[list(PLAYS)]], ignore_index=True).astype(PLAYS)
    merged = merged.sort_values(["user", "timestamp", "song", *ATTRIBUTES], ignore_index=True)
    merged.insert(0, "play", range(len(merged)))
    return merged


def same_plays(named: list[tuple[str, Listening]]) -> pd.DataFrame:
    """The source, place (row) and key of every play: plays with one key are the same.

    Without a time that is a guess: equal counts of the same user and song.
    """
    parts = []
    for source, part in named:
        untimed = part.plays["timestamp"].isna()
        what = part.plays[["user", "song", "timestamp"]].assign(plays=part.plays["plays"].where(untimed, 0))
        key = pd.util.hash_pandas_object(what, index=False)
        parts.append(pd.DataFrame({"source": source, "place": part.plays["row"], "key": key}))
    return pd.concat(parts, ignore_index=True)


def catalogue(plays: pd.DataFrame, parts: list[Listening]) -> pd.DataFrame:
    """The columns of `Catalogue`."""
    titles = pd.concat([part.titles for part in parts])
    known = dict(zip(titles.index[::-1], titles[::-1], strict=True))  # the first of several titles stays
    songs = pd.Series(sorted(plays["song"].unique()), dtype="str")
    return pd.DataFrame({"song": songs, "title": pd.Series([known.get(song, song) for song in songs], dtype="str")})


def song_genres(songs: "pd.Series[str]", parts: list[Listening], most: int) -> pd.DataFrame:
    """The columns of `SongGenres` for known songs, over the `most` genres that most songs have."""
    told = pd.concat([part.genres for part in parts], ignore_index=True)
    counts = told[told["song"].isin(songs)].groupby(["song", "genre", "user"], dropna=False)["count"].sum()
    table = counts.reset_index()
    frequency = table.groupby("genre")["song"].nunique().rename("songs").reset_index()
    frequent = frequency.sort_values(["songs", "genre"], ascending=[False, True]).head(most)["genre"]
    table = table[table["genre"].isin(frequent)].sort_values(["song", "genre", "user"], ignore_index=True)
    return table.astype({"song": "str", "genre": "str", "user": "str", "count": "float64"})
