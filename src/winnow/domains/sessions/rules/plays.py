"""Which plays, users and songs are kept."""

import pandas as pd

from winnow.curate.core import k_core
from winnow.curate.filters import Rule, apply_rules, check_not_empty, dropped_rows, rule_counts
from winnow.domains.sessions.params import Filter

DAY = 86_400


def play_rules(params: Filter) -> list[Rule]:
    """The rules in the order in which they are applied; a value that the source does not give breaks none."""
    return [
        Rule("bot", lambda plays: plays["user"].isin(_bots(plays, params.bot_plays_per_day))),
        Rule("skipped", lambda plays: plays["skipped"] & params.drop_skipped),
        Rule("too_short", lambda plays: plays["share_played"] < params.min_share_played),
        Rule("repeated", lambda plays: _repeats(plays, params.repeat_seconds)),
    ]


def keep_plays(plays: pd.DataFrame, params: Filter) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], int]:
    """Plays that are kept, the `Dropped` ones, how many each rule dropped, and the k-core's rounds.

    Raises TableError when none is kept.
    """
    rules = play_rules(params)
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
