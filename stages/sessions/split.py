"""
Split each user's songs into train, validation and test, hold out cold-start users, assign user types and genres.

    dvc repro split@sessions
"""

import numpy as np
import pandas as pd

from winnow.curate.leakage import check_no_leakage
from winnow.curate.leave_last_out import leave_last_out
from winnow.curate.split_names import SPLITS
from winnow.curate.splits import check_splits
from winnow.domains.sessions import definitions
from winnow.domains.sessions.params import Common, Split
from winnow.domains.sessions.rules.genres import training_genres
from winnow.domains.sessions.tables import Genres, Interactions, Splits, Tags, Users, UserTypes
from winnow.pipeline.errors import TableError
from winnow.pipeline.stage import Stage, run_stage


def order_songs(pairs: pd.DataFrame, params: Split, rng: np.random.Generator) -> pd.DataFrame:
    """`pairs` with the column `place`: each user's songs from 0, at random, or the earliest first (ties at random).

    Raises TableError with method time when a row has no time.
    """
    lot = pd.Series(rng.permutation(len(pairs)), index=pairs.index)
    if params.method == "time" and pairs["first_played"].isna().any():
        raise TableError(
            f"{int(pairs['first_played'].isna().sum())} interactions have no time to split by",
            fix="set sessions.split.method to random, or use a source with timestamps",
        )
    keys = pairs["first_played"] if params.method == "time" else lot
    order = pd.DataFrame({"user": pairs["user_index"], "key": keys, "lot": lot}).sort_values(["user", "key", "lot"])
    return pairs.assign(place=order.groupby("user").cumcount())


def split_pairs(pairs: pd.DataFrame, params: Split, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Splits`; no two splits share a pair, and cold-start users have no row in train, val or test.

    Raises TableError when a split has no row.
    """
    pairs = order_songs(pairs, params, rng)
    count = pairs.groupby("user_index")["place"].transform("size")
    test = (count * params.test_ratio).round().astype(int)
    val = (count * params.val_ratio).round().astype(int)
    if params.method == "official":
        split = _official(pairs, params)
    else:
        split = leave_last_out(pairs["user_index"], pairs["place"], val=val, test=test)
    cold = _cold_users(pairs, params, rng)
    split[cold] = np.where(pairs.loc[cold, "place"] < params.cold_given, "cold_given", "cold_target")
    check_splits(split, definitions.SPLITS if cold.any() else SPLITS)
    return pd.DataFrame({"user_index": pairs["user_index"], "song_index": pairs["song_index"], "split": split})


def _official(pairs: pd.DataFrame, params: Split) -> "pd.Series[str]":
    """The source's test rows, and of each user's other rows a share for validation."""
    if not (pairs["official_split"] == "test").any():
        raise TableError("the source has no split of its own", fix="set sessions.split.method to random or time")
    split = pairs["official_split"].fillna("train").astype("str")
    own = pairs[split == "train"]
    count = own.groupby("user_index")["place"].transform("size")
    val = (count * params.val_ratio).round().astype(int).clip(upper=count - 1)
    split[own.index] = leave_last_out(own["user_index"], own["place"], val=val, test=0)
    return split


def _cold_users(pairs: pd.DataFrame, params: Split, rng: np.random.Generator) -> "pd.Series[bool]":
    """Rows of the held-out users, drawn among those with more songs than are given."""
    count = pairs["user_index"].value_counts().sort_index()
    able = count.index[count > params.cold_given].to_numpy()
    drawn = rng.permutation(able)[: round(params.cold_ratio * len(count))]
    return pairs["user_index"].isin(drawn)


def user_types(pairs: pd.DataFrame, splits: pd.DataFrame, users: int, params: Split) -> pd.DataFrame:
    """The columns of `UserTypes`: by plays of training songs; unknown for users without any.

    Validation and test plays do not count: a type based on them would leak the number of held-out songs. The few given
    songs of a cold-start user would always say casual.
    """
    known = splits[splits["split"] == "train"].merge(pairs, on=["user_index", "song_index"])
    plays = known.groupby("user_index")["plays"].sum()
    bounds = np.quantile(plays, [params.regular_from, params.power_from])
    kind = pd.Series(np.array(definitions.USER_TYPES)[np.searchsorted(bounds, plays)], index=plays.index, dtype="str")
    types = kind.reindex(range(users), fill_value=definitions.UNKNOWN_TYPE)
    return pd.DataFrame({"user_index": np.arange(users), "user_type": types.to_numpy()}).astype({"user_type": "str"})


def main(stage: Stage[Common, Split]) -> None:
    pairs = stage.read("label/interactions.parquet", Interactions)
    splits = split_pairs(pairs, stage.params, stage.rng())
    number = splits["user_index"].astype("str")
    known = splits["split"].str.removeprefix("cold_").isin(["given", "target"])
    check_no_leakage(
        splits["split"], pd.DataFrame({"user and song": number + " " + splits["song_index"].astype("str")})
    )
    check_no_leakage(known.map({True: "cold start", False: "trained on"}), pd.DataFrame({"user": number}))
    users = stage.read("label/users.parquet", Users)
    types = user_types(pairs, splits, len(users), stage.params)
    stage.write("splits.parquet", splits, Splits)
    stage.write("user_types.parquet", types, UserTypes)
    tags = stage.read("label/tags.parquet", Tags)
    genres = training_genres(tags, splits)
    stage.write("genres.parquet", genres, Genres)
    by_split = splits["split"].value_counts()
    stage.account(len(pairs), **{split: int(by_split.get(split, 0)) for split in definitions.SPLITS})
    heard = set(splits.loc[splits["split"] == "train", "song_index"])
    stage.metrics(
        users={
            split: int(splits.loc[splits["split"] == split, "user_index"].nunique()) for split in definitions.SPLITS
        },
        by_user_type=types["user_type"].value_counts().to_dict(),
        songs_without_genre=len(set(splits["song_index"]) - set(genres["song_index"])),
        songs_never_in_train=int((~splits["song_index"].drop_duplicates().isin(heard)).sum()),
    )


if __name__ == "__main__":
    run_stage(main)
