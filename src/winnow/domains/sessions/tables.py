"""The tables between the sessions stages. Users and songs have names until the label stage numbers them."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.domains.sessions import definitions
from winnow.pipeline.tables import Table

TYPES = [*definitions.USER_TYPES, definitions.UNKNOWN_TYPE]


class Plays(Table):
    """One row per play, or per user and song where the source only counts."""

    play: Series[int] = pa.Field(unique=True, ge=0)
    user: Series[str]
    song: Series[str]
    timestamp: Series[pd.Int64Dtype] = pa.Field(nullable=True, description="seconds since 1970, UTC")
    plays: Series[int] = pa.Field(ge=1, description="how often; more than 1 only where the source counts")
    share_played: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    skipped: Series[pd.BooleanDtype] = pa.Field(nullable=True)
    official_split: Series[str] = pa.Field(nullable=True, isin=["train", "test"], description="the source's own split")


class Catalogue(Table):
    """Every song that was played."""

    song: Series[str] = pa.Field(unique=True)
    title: Series[str] = pa.Field(description="for people; the song's id where the source has none")


class SongGenres(Table):
    """What a song was said to be. A song without genre has no row."""

    song: Series[str]
    genre: Series[str]
    user: Series[str] = pa.Field(nullable=True, description="who tagged it; missing where the source does not say")
    count: Series[float] = pa.Field(gt=0, description="how often")


class Tastes(Table):
    """The generator's truth: how a synthetic user chooses a scene. Without rows for real data."""

    user: Series[str]
    scene: Series[int] = pa.Field(ge=0)
    probability: Series[float] = pa.Field(gt=0, le=1)


class Scenes(Table):
    """The generator's truth: how a song is chosen within a scene. Without rows for real data."""

    scene: Series[int] = pa.Field(ge=0)
    song: Series[str]
    probability: Series[float] = pa.Field(gt=0, le=1)


class PlayRules(Table):
    """One row: which plays count. The model carries it, so that other listeners' plays are judged by the same rules."""

    drop_skipped: Series[bool]
    min_share_played: Series[float] = pa.Field(ge=0, le=1)
    repeat_seconds: Series[int] = pa.Field(ge=0)
    bot_plays_per_day: Series[int] = pa.Field(ge=1)


class Dropped(tables.Dropped):
    play: Series[int] = pa.Field(unique=True, ge=0)


class Users(Table):
    """Users with their number, 0 … n-1 in the order of their ids."""

    user_index: Series[int] = pa.Field(unique=True, ge=0)
    user: Series[str] = pa.Field(unique=True)


class Songs(Table):
    """Songs with their number, 0 … n-1 in the order of their ids."""

    song_index: Series[int] = pa.Field(unique=True, ge=0)
    song: Series[str] = pa.Field(unique=True)
    title: Series[str]


class Tags(Table):
    """The genres that numbered songs were given, by kept users or by the source itself."""

    song_index: Series[int] = pa.Field(ge=0)
    genre: Series[str]
    user_index: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0, description="who said so; missing: the source")
    count: Series[float] = pa.Field(gt=0, description="how often")


class Genres(Table):
    """The genres of numbered songs, from training rows."""

    song_index: Series[int] = pa.Field(ge=0)
    genre_index: Series[int] = pa.Field(ge=0, description="0 … n-1 in the order of the names")
    genre: Series[str]
    share: Series[float] = pa.Field(gt=0, le=1, description="the shares of a song sum to 1")


class Interactions(Table):
    """One row per user and song that were together: an implicit positive."""

    user_index: Series[int] = pa.Field(ge=0)
    song_index: Series[int] = pa.Field(ge=0)
    plays: Series[int] = pa.Field(ge=1)
    first_played: Series[pd.Int64Dtype] = pa.Field(nullable=True, description="seconds since 1970, UTC")
    confidence: Series[float] = pa.Field(ge=1, description="1 + scale · ln(plays): how sure the liking is")
    official_split: Series[str] = pa.Field(nullable=True, isin=["train", "test"], description="the source's own split")


class Splits(Table):
    user_index: Series[int] = pa.Field(ge=0)
    song_index: Series[int] = pa.Field(ge=0)
    split: Series[str] = pa.Field(isin=list(definitions.SPLITS))


class UserTypes(Table):
    """What kind of listener each user is, by training plays alone; one row per user, in their order.

    Cold-start users have none: their type is unknown.
    """

    user_index: Series[int] = pa.Field(unique=True, ge=0)
    user_type: Series[str] = pa.Field(isin=TYPES)


class KnownUsers(Users):
    """The users of a trained model."""

    user_type: Series[str] = pa.Field(isin=TYPES)


class GenreNames(Table):
    """The genres of a trained model."""

    genre_index: Series[int] = pa.Field(unique=True, ge=0)
    genre: Series[str]


class KnownSongs(Table):
    """The songs by which the users of a trained model are known; none that was held out to judge it."""

    user_index: Series[int] = pa.Field(ge=0)
    song_index: Series[int] = pa.Field(ge=0)
    split: Series[str] = pa.Field(isin=["train", "val", "cold_given"])


class InteractionWeights(Table):
    """Training and validation interactions (mode simple trains on both)."""

    user_index: Series[int] = pa.Field(ge=0)
    song_index: Series[int] = pa.Field(ge=0)
    split: Series[str] = pa.Field(isin=["train", "val"])
    weight: Series[float] = pa.Field(gt=0, description="how much it counts in the loss; mean 1 over training rows")


class Sampling(Table):
    """How often each song is drawn as a negative."""

    song_index: Series[int] = pa.Field(unique=True, ge=0)
    listeners: Series[int] = pa.Field(ge=0, description="users who played it, in the training split")
    probability: Series[float] = pa.Field(ge=0, le=1, description="sums to 1")


class Ranked(Table):
    """How well each user's held-out songs were ranked, for the model and every baseline."""

    recommender: Series[str] = pa.Field(description="model, a baseline's name, or a reference's")
    user_index: Series[int] = pa.Field(ge=0)
    cold: Series[bool] = pa.Field(description="a cold-start user, folded in")
    user_type: Series[str] = pa.Field(isin=TYPES)
    history: Series[str] = pa.Field(isin=list(definitions.HISTORY_BINS), description="songs known of the user")
    held_out: Series[int] = pa.Field(ge=1)
    recall_at_5: Series[float] = pa.Field(ge=0, le=1)
    recall_at_10: Series[float] = pa.Field(ge=0, le=1)
    recall_at_20: Series[float] = pa.Field(ge=0, le=1)
    ndcg_at_5: Series[float] = pa.Field(ge=0, le=1)
    ndcg_at_10: Series[float] = pa.Field(ge=0, le=1)
    ndcg_at_20: Series[float] = pa.Field(ge=0, le=1)
    reciprocal_rank: Series[float] = pa.Field(ge=0, le=1, description="of the first held-out song in the full ranking")
    novelty: Series[float] = pa.Field(ge=0, description="mean surprise of the list's songs, bits")
    diversity: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="mean genre distance within the list")


class Reasons(Table):
    """Recommendations with what weighed most for them."""

    user: Series[str]
    user_type: Series[str] = pa.Field(isin=TYPES)
    place: Series[int] = pa.Field(ge=1)
    song: Series[str]
    title: Series[str]
    found: Series[bool] = pa.Field(description="the user did play it, in the test split")
    score: Series[float]
    kind: Series[str] = pa.Field(isin=["song", "genre"])
    reason: Series[str] = pa.Field(description="a song the user played, or a genre of the recommended song")
    effect: Series[float] = pa.Field(description="by how much the score falls without it")
