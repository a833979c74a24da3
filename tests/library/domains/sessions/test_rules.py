"""What plays become: positives, numbered users and songs, tags."""

import numpy as np
import pandas as pd
import pytest

from winnow.domains.sessions.params import Label
from winnow.domains.sessions.rules.plays import check_enough
from winnow.domains.sessions.rules.positives import number_songs, number_tags, number_users, positives
from winnow.domains.sessions.source.listening import Listening, plays_table
from winnow.domains.sessions.source.merge import catalogue, song_genres
from winnow.pipeline.errors import TableError

USERS, SONGS = ["ann", "ann", "ann", "bob", "bob"], ["y", "y", "x", "y", "x"]


def plays(**columns: object) -> pd.DataFrame:
    return plays_table({"user": USERS, "song": SONGS, **columns}, pd.RangeIndex(len(USERS)))


def numbered(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    songs = pd.DataFrame({"song": ["z", "y", "x"], "title": ["Z", "Y", "X"]})
    return number_users(table["user"]), number_songs(table["song"], songs)


def test_a_positive_sums_its_plays_and_begins_with_the_first() -> None:
    table = plays(plays=[3, 4, 1, 2, 5], timestamp=[90, 20, 7, None, None])
    users, songs = numbered(table)
    assert songs["title"].tolist() == ["X", "Y"]
    found = positives(table, users, songs, Label(confidence_scale=2.0))
    assert found[["user_index", "song_index"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert found["plays"].tolist() == [1, 7, 5, 2]
    assert found["first_played"].fillna(-1).tolist() == [7, 20, -1, -1]
    assert found["confidence"].to_numpy() == pytest.approx(1 + 2 * np.log([1, 7, 5, 2]))
    assert found["official_split"].isna().all()


def test_a_pair_in_both_official_files_is_learned_from_and_not_tested() -> None:
    table = plays(official_split=["test", "train", "test", "train", "test"])
    assert positives(table, *numbered(table), Label(confidence_scale=1.0))["official_split"].tolist() == [
        "test", "train", "test", "train",
    ]  # fmt: skip


def test_tags_of_users_and_songs_that_were_dropped_do_not_count() -> None:
    given = pd.DataFrame({"song": ["x", "x", "z", "y"], "genre": list("abcd"), "user": ["ann", "eve", "ann", None]})
    tags = number_tags(given.assign(count=1.0), *numbered(plays()))
    assert tags[["song_index", "genre"]].to_numpy().tolist() == [[0, "a"], [1, "d"]]


def test_genres_are_those_of_most_songs_and_the_first_title_stays() -> None:
    """However many users give one of them to the same song."""
    given = [("x", "loud", user) for user in "abc"] + [(song, "calm", "a") for song in "xy"]
    genres = pd.DataFrame(given, columns=["song", "genre", "user"]).assign(count=1.0)
    titles = [pd.Series({"x": name, "other": "none"}, dtype="str") for name in ("First", "Second")]
    parts = [Listening(plays(), own, genres, pd.DataFrame()) for own in titles]
    songs = catalogue(plays(), parts)
    assert songs.to_numpy().tolist() == [["x", "First"], ["y", "y"]]
    found = song_genres(songs["song"], parts[:1], 1)
    assert found[["song", "genre"]].to_numpy().tolist() == [["x", "calm"], ["y", "calm"]]


def test_next_to_nobody_is_too_few_to_learn_from() -> None:
    check_enough(5, 5)
    for users, songs in ((4, 500), (500, 4)):
        with pytest.raises(TableError, match=f"{users} users and {songs} songs are left after filtering; at least 5"):
            check_enough(users, songs)
