"""Implicit positives from plays, with their confidence."""

import numpy as np
import pandas as pd

from winnow.domains.sessions.params import Label


def number_users(plays: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Users`: users in the order of their ids."""
    names = sorted(plays["user"].unique())
    return pd.DataFrame({"user_index": np.arange(len(names)), "user": pd.Series(names, dtype="str")})


def number_songs(plays: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Songs`: songs in the order of their ids, without gaps."""
    songs = catalogue[catalogue["song"].isin(plays["song"])].sort_values("song", ignore_index=True)
    return pd.DataFrame({"song_index": np.arange(len(songs)), "song": songs["song"], "title": songs["title"]})


def number_tags(genres: pd.DataFrame, users: pd.DataFrame, songs: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Tags`: genres of the songs that were kept, without those given by users who were not."""
    told = genres["user"].isna() | genres["user"].isin(users["user"])
    kept = genres[told & genres["song"].isin(songs["song"])]
    song = kept["song"].map(songs.set_index("song")["song_index"])
    user = kept["user"].map(users.set_index("user")["user_index"])
    table = pd.DataFrame({"song_index": song, "genre": kept["genre"], "user_index": user, "count": kept["count"]})
    types = {"song_index": "int64", "user_index": "Int64"}
    return table.astype(types).sort_values(["song_index", "genre", "user_index"], ignore_index=True)


def positives(plays: pd.DataFrame, users: pd.DataFrame, songs: pd.DataFrame, params: Label) -> pd.DataFrame:
    """The columns of `Interactions`, by user and song."""
    table = pd.DataFrame(
        {
            "user_index": plays["user"].map(users.set_index("user")["user_index"]),
            "song_index": plays["song"].map(songs.set_index("song")["song_index"]),
            "plays": plays["plays"],
            "first_played": plays["timestamp"],
            "official_split": plays["official_split"],
        }
    )
    keys = ["user_index", "song_index"]
    found = table.groupby(keys).agg({"plays": "sum", "first_played": "min", "official_split": "max"}).reset_index()
    found["confidence"] = 1 + params.confidence_scale * np.log(found["plays"].astype(float))
    found["official_split"] = found["official_split"].astype("str").where(found["official_split"].notna())
    return found[[*keys, "plays", "first_played", "confidence", "official_split"]].astype({"first_played": "Int64"})
