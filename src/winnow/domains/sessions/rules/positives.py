"""Implicit positives from plays, with their confidence."""

import numpy as np
import pandas as pd

from winnow.curate.numbers import places_in
from winnow.domains.sessions.params import Label


def number_users(heard: pd.Series) -> pd.DataFrame:
    """The columns of `Users`: users in the order of their ids; `heard` names each once or more."""
    names = sorted(heard.unique())
    return pd.DataFrame({"user_index": np.arange(len(names)), "user": pd.Series(names, dtype="str")})


def number_songs(heard: pd.Series, catalogue: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Songs`: songs in the order of their ids, without gaps; `heard` names each once or more."""
    songs = catalogue[catalogue["song"].isin(heard)].sort_values("song", ignore_index=True)
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
    """The columns of `Interactions`, by user and song; all plays of a user are among the given ones, or none is."""
    split, names = pd.factorize(plays["official_split"], sort=True)
    pair = places_in(plays["user"], users["user"]) * len(songs) + places_in(plays["song"], songs["song"])
    table = pd.DataFrame({"plays": plays["plays"], "first_played": plays["timestamp"], "split": split})
    found = table.groupby(pair).agg({"plays": "sum", "first_played": "min", "split": "max"})
    keys = found.index.to_numpy(dtype=np.int64)
    return pd.DataFrame(
        {
            "user_index": keys // max(len(songs), 1),
            "song_index": keys % max(len(songs), 1),
            "plays": found["plays"].to_numpy(),
            "first_played": found["first_played"].array,
            "confidence": 1 + params.confidence_scale * np.log(found["plays"].to_numpy(dtype=float)),
            "official_split": pd.Series(pd.Categorical.from_codes(found["split"], pd.Index(names)), dtype="str"),
        }
    ).astype({"first_played": "Int64"})
