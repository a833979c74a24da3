"""The genres of songs, as far as they are known from training rows."""

import pandas as pd


def training_genres(tags: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Genres`, from `Tags` and `Splits`.

    Who tags a song mostly listens to it: a tag by a user counts only when user and song are a training row. Otherwise
    the tags of held-out songs would reveal who listens to them.
    """
    train = splits.loc[splits["split"] == "train", ["user_index", "song_index"]].astype({"user_index": "Int64"})
    learned = tags.merge(train, on=["user_index", "song_index"])
    told = pd.concat([tags[tags["user_index"].isna()], learned])
    counts = told.groupby(["song_index", "genre"])["count"].sum().reset_index()
    names = sorted(counts["genre"].unique())
    number = counts["genre"].map({name: place for place, name in enumerate(names)}).astype("int64")
    share = counts["count"] / counts.groupby("song_index")["count"].transform("sum")
    table = counts[["song_index", "genre"]].assign(genre_index=number, share=share)
    return table[["song_index", "genre_index", "genre", "share"]].sort_values(
        ["song_index", "genre_index"], ignore_index=True
    )
