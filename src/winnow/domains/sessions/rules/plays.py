"""Which plays, users and songs are kept."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.curate.core import k_core
from winnow.curate.filters import Rule, apply_rules, check_not_empty
from winnow.curate.numbers import Numbers
from winnow.domains.sessions.params import Filter
from winnow.domains.sessions.tables import PlayRules
from winnow.pipeline.errors import TableError

DAY = 86_400
FEWEST = 5
"""Users, and songs, without which nothing can be learnt."""


def rules_table(params: Filter) -> pd.DataFrame:
    """The columns of `PlayRules`."""
    names = list(PlayRules.to_schema().columns)
    return pd.DataFrame([params.model_dump(include=set(names))])[names]


def play_rules(table: pd.DataFrame) -> list[Rule]:
    """The rules of `PlayRules` in the order in which they are applied; a value that a source lacks breaks none."""
    drop_skipped, least_share, seconds, most = table.iloc[0]
    return [
        Rule("bot", lambda plays: plays["user"].isin(_bots(plays, most))),
        Rule("skipped", lambda plays: plays["skipped"] & drop_skipped),
        Rule("too_short", lambda plays: plays["share_played"] < least_share),
        Rule("repeated", lambda plays: _repeats(plays, seconds)),
    ]


class Judged(NamedTuple):
    """What becomes of plays that came in pieces."""

    reason: NDArray[np.int8]
    """of each play: the place of its rule in `counts`, -1 where it is kept"""
    counts: dict[str, int]
    """plays dropped by each rule"""
    rounds: int
    """of the k-core"""
    users: int
    songs: int

    def reasons(self, plays: pd.DataFrame, start: int) -> "pd.Series[str]":
        """The rule by which each of the plays from the `start`-th on is dropped, missing where none is."""
        places = self.reason[start : start + len(plays)]
        return pd.Series(pd.Categorical.from_codes(places, pd.Index(list(self.counts))), index=plays.index).astype(
            "str"
        )


def judge_plays(pieces: Iterable[pd.DataFrame], params: Filter) -> Judged:
    """Judge plays of which no user is in two pieces; memory holds a piece, and three numbers of each play.

    Raises TableError when none is kept.
    """
    rules = play_rules(rules_table(params))
    names = [*(rule.name for rule in rules), "k_core"]
    users, songs = Numbers(), Numbers()
    parts = []
    for plays in pieces:
        reason = pd.Categorical(apply_rules(plays, rules), names).codes
        parts.append((reason.astype(np.int8), users.of(plays["user"]), songs.of(plays["song"])))
    reason, user, song = (np.concatenate(each) for each in zip(*parts, strict=True))
    left = np.flatnonzero(reason < 0)
    inside, rounds = k_core(
        pd.Series(user[left]), pd.Series(song[left]), min_items=params.min_user_songs, min_owners=params.min_song_users
    )
    reason[left[~inside.to_numpy()]] = names.index("k_core")
    counts = {name: int(np.count_nonzero(reason == place)) for place, name in enumerate(names)}
    kept = reason < 0
    check_not_empty(
        range(np.count_nonzero(kept)),
        counts,
        fix="lower sessions.filter.min_user_songs and min_song_users, or use more data",
    )
    return Judged(reason, counts, rounds, *(len(np.unique(each[kept])) for each in (user, song)))


def check_enough(users: int, songs: int) -> None:
    """Raise TableError when there is next to nobody, or nothing, to learn from: half of it is held out."""
    if min(users, songs) < FEWEST:
        raise TableError(
            f"{users} users and {songs} songs are left after filtering; at least {FEWEST} of each are needed",
            fix="use more data: a recommender learns from what many users have in common",
        )


def _bots(plays: pd.DataFrame, most: int) -> "pd.Index[str]":
    """Users with more than `most` timed plays on some day."""
    timed = plays[plays["timestamp"].notna()]
    per_day = timed.groupby([timed["user"], timed["timestamp"] // DAY])["plays"].sum()
    found: pd.Index[str] = per_day[per_day > most].index.get_level_values(0).unique()
    return found


def _repeats(plays: pd.DataFrame, seconds: int) -> "pd.Series[bool]":
    """Plays of the same user and song at most `seconds` after the one before, of those that are given."""
    in_time = plays.sort_values(["user", "song", "timestamp"])
    waited = in_time.groupby(["user", "song"])["timestamp"].diff()
    return (waited <= seconds).fillna(False).astype(bool).reindex(plays.index)
