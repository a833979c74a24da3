"""Plays judged and counted a piece at a time are what they are as one table, in plain pandas or by hand."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from winnow.curate.numbers import Numbers, places_in
from winnow.domains.sessions.params import Filter, Label
from winnow.domains.sessions.rules.plays import DAY, judge_plays
from winnow.domains.sessions.rules.positives import number_songs, number_users, positives
from winnow.domains.sessions.source.listening import PLAYS, Listening
from winnow.domains.sessions.source.merge import merge_plays
from winnow.pipeline.errors import TableError
from winnow.pipeline.tables import whole_owners

RULES = Filter(
    drop_skipped=True, min_share_played=0.3, repeat_seconds=30, bot_plays_per_day=12, min_user_songs=3, min_song_users=2
)


def drawn(rows: int, seed: int) -> pd.DataFrame:
    """Plays in ingest's order: ties in time, missing values, plays that are counts, users of many plays a day."""
    rng = np.random.default_rng(seed)

    def some(values: object, share: float) -> pd.Series:
        return pd.Series(values).mask(rng.random(rows) < share)

    table = pd.DataFrame(
        {
            "row": np.arange(rows),
            "user": (rng.random(rows) ** 2 * 12).astype(int).astype(str),
            "song": (rng.random(rows) ** 2 * 9).astype(int).astype(str),
            "timestamp": some(rng.integers(0, 40, rows) * 15 + rng.integers(0, 3, rows) * DAY, 0.2).astype("Int64"),
            "plays": rng.integers(1, 4, rows),
            "share_played": some(rng.random(rows) * 1.5, 0.3).clip(upper=1),
            "skipped": some(rng.random(rows) < 0.1, 0.3).astype("boolean"),
            "official_split": some(np.where(rng.random(rows) < 0.3, "test", "train"), 0.5).astype("str"),
        }
    ).astype(PLAYS)
    return merge_plays([Listening(table, pd.Series(dtype="str"), pd.DataFrame(), pd.DataFrame())])


def cut(table: pd.DataFrame, size: int) -> Iterator[pd.DataFrame]:
    for start in range(0, max(len(table), 1), size):
        yield table[start : start + size].reset_index(drop=True)


def dropped_by_itself(row: dict[str, object], bots: set[object]) -> str | None:
    """The rule that a play breaks whatever its user played before."""
    if row["user"] in bots:
        return "bot"
    if row["skipped"]:
        return "skipped"
    share = row["share_played"]
    return "too_short" if share is not None and float(str(share)) < RULES.min_share_played else None


def dropped_by_rules(rows: list[dict[str, object]]) -> list[str | None]:
    """The rules in their order, play by play."""
    days: dict[object, int] = defaultdict(int)
    for row in rows:
        if row["timestamp"] is not None:
            days[row["user"], row["timestamp"] // DAY] += int(str(row["plays"]))
    bots = {user for (user, _), count in days.items() if count > RULES.bot_plays_per_day}
    found = [dropped_by_itself(row, bots) for row in rows]
    times: dict[object, list[tuple[int, int]]] = defaultdict(list)
    for place, row in enumerate(rows):
        if row["timestamp"] is not None and found[place] is None:
            times[row["user"], row["song"]].append((int(str(row["timestamp"])), place))
    for heard in times.values():
        for (before, _), (time, place) in pairwise(sorted(heard)):
            if time - before <= RULES.repeat_seconds:
                found[place] = "repeated"
    return found


def judged_by_hand(table: pd.DataFrame) -> list[str | None]:
    """By the rules; then whoever is short of songs, or of users, one at a time."""
    rows = [
        {str(name): None if pd.isna(each) else each for name, each in row.items()} for row in table.to_dict("records")
    ]
    found = dropped_by_rules(rows)
    while True:
        pairs = {(row["user"], row["song"]) for row, why in zip(rows, found, strict=True) if why is None}
        weak = [
            place
            for place, (row, why) in enumerate(zip(rows, found, strict=True))
            if why is None
            and (
                sum(user == row["user"] for user, _ in pairs) < RULES.min_user_songs
                or sum(song == row["song"] for _, song in pairs) < RULES.min_song_users
            )
        ]
        if not weak:
            return found
        for place in weak:
            found[place] = "k_core"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_plays_in_pieces_are_judged_as_by_hand(size: int) -> None:
    seen = set()
    for seed in range(6):
        table = drawn(150, seed)
        judged = judge_plays(whole_owners(cut(table, size), "user"), RULES)
        expected = judged_by_hand(table)
        parts = [judged.reasons(part, start) for start, part in zip(range(0, 150, 40), cut(table, 40), strict=False)]
        found = pd.concat(parts, ignore_index=True)
        assert [None if pd.isna(why) else why for why in found] == expected
        assert judged.counts == {name: expected.count(name) for name in judged.counts}
        kept = table[[why is None for why in expected]]
        assert (judged.users, judged.songs) == (kept["user"].nunique(), kept["song"].nunique())
        seen |= set(expected)
    assert seen == {None, "bot", "skipped", "too_short", "repeated", "k_core"}


def test_no_play_and_only_plays_that_are_dropped_are_too_few() -> None:
    for table in (drawn(150, 0)[:0], drawn(150, 0)[:1]):
        with pytest.raises(TableError, match="no row is left after filtering"):
            judge_plays(whole_owners([table], "user"), RULES)


@pytest.mark.parametrize("rows", [0, 1, 150])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_positives_of_pieces_are_those_of_one_table(size: int, rows: int) -> None:
    for seed in range(4):
        table = drawn(150, seed)[:rows]
        songs = number_songs(table["song"], pd.DataFrame({"song": list("9876543210"), "title": "t"}).astype("str"))
        users = number_users(table["user"])
        params = Label(confidence_scale=2.0)
        found = pd.concat(
            [positives(part, users, songs, params) for part in whole_owners(cut(table, size), "user")],
            ignore_index=True,
        )
        whole = table.groupby(["user", "song"]).agg({"plays": "sum", "timestamp": "min", "official_split": "max"})
        whole = whole.reset_index()
        assert (users["user"].take(found["user_index"]).tolist(), songs["song"].take(found["song_index"]).tolist()) == (
            whole["user"].tolist(),
            whole["song"].tolist(),
        )
        for name, of_whole in (("plays", "plays"), ("first_played", "timestamp"), ("official_split", "official_split")):
            assert found[name].fillna(-1 if name != "official_split" else "").tolist() == (
                whole[of_whole].fillna(-1 if name != "official_split" else "").tolist()
            ), name
        assert found["confidence"].to_numpy() == pytest.approx(1 + 2 * np.log(whole["plays"].to_numpy(dtype=float)))


def test_a_name_has_one_number_in_all_pieces_and_its_place_among_the_known_ones() -> None:
    numbers = Numbers()
    assert numbers.of(pd.Series(["b", "a", "b"])).tolist() == [0, 1, 0]
    assert numbers.of(pd.Series([], dtype="str")).tolist() == []
    assert numbers.of(pd.Series(["c", "a"])).tolist() == [2, 1]
    assert places_in(pd.Series(["b", "x", "a", "b"]), pd.Series(["a", "b"])).tolist() == [1, -1, 0, 1]
    assert places_in(pd.Series([], dtype="str"), pd.Series(["a"])).tolist() == []
