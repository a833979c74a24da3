"""Which plays, users and songs are kept."""

import pandas as pd

from winnow.curate.core import k_core
from winnow.curate.filters import Rule, apply_rules, check_not_empty, dropped_rows, rule_counts
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


def keep_plays(plays: pd.DataFrame, params: Filter) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], int]:
    """Plays that are kept, the `Dropped` ones, how many each rule dropped, and the k-core's rounds.

    Raises TableError when none is kept.
    """
    rules = play_rules(rules_table(params))
    reason = apply_rules(plays, rules)
    counts = rule_counts(reason, rules)
    left = plays[reason.isna()]
    inside, rounds = k_core(
        left["user"], left["song"], min_items=params.min_user_songs, min_owners=params.min_song_users
    )
    reason[inside.index[~inside]] = "k_core"
    counts["k_core"] = int((reason == "k_core").sum())
    kept = plays[reason.isna()]
    check_not_empty(kept, counts, fix="lower sessions.filter.min_user_songs and min_song_users, or use more data")
    return kept, dropped_rows(plays["play"], reason), counts, rounds


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
    """Plays of the same user and song at most `seconds` after the one before."""
    in_time = plays.sort_values(["user", "song", "timestamp"])
    waited = in_time.groupby(["user", "song"])["timestamp"].diff()
    return (waited <= seconds).fillna(False).astype(bool).reindex(plays.index)
