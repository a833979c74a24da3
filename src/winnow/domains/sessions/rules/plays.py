"""Which plays, users and songs are kept."""

import numpy as np
import pandas as pd

from winnow.curate.filters import Rule, apply_rules, check_not_empty, rule_counts
from winnow.domains.sessions.params import Filter

DAY = 86_400


def play_rules(params: Filter) -> list[Rule]:
    """Why a play goes, in the order in which reasons are given; where a source tells nothing, nothing is broken."""
    return [
        Rule("bot", lambda plays: plays["user"].isin(_bots(plays, params.bot_plays_per_day))),
        Rule("skipped", lambda plays: plays["skipped"] & params.drop_skipped),
        Rule("too_short", lambda plays: plays["share_played"] < params.min_share_played),
        Rule("repeated", lambda plays: _repeats(plays, params.repeat_seconds)),
    ]


def keep_plays(plays: pd.DataFrame, params: Filter) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int], int]:
    """Plays that stay, (play, rule) of those that do not, how many each rule dropped, and the k-core's rounds.

    Raises TableError when nothing is left.
    """
    rules = play_rules(params)
    reason = apply_rules(plays, rules)
    counts = rule_counts(reason, rules)
    inside, rounds = k_core(plays[reason.isna()], params.min_user_songs, params.min_song_users)
    reason[reason.isna() & ~inside.reindex(plays.index, fill_value=False)] = "k_core"
    counts["k_core"] = int((reason == "k_core").sum())
    kept = plays[reason.isna()]
    check_not_empty(kept, counts, fix="lower sessions.filter.min_user_songs and min_song_users, or use more data")
    dropped = pd.DataFrame({"play": plays["play"], "rule": reason}).dropna(subset="rule")
    return kept, dropped, counts, rounds


def k_core(plays: pd.DataFrame, min_user_songs: int, min_song_users: int) -> tuple["pd.Series[bool]", int]:
    """Which plays lie in the k-core: users with enough songs and songs with enough users, both after both.

    Gives a mask indexed like `plays` and the rounds until nothing changed.
    """
    pairs = plays[["user", "song"]].drop_duplicates()
    user, song = pd.factorize(pairs["user"])[0], pd.factorize(pairs["song"])[0]
    inside = np.ones(len(pairs), dtype=bool)
    rounds = 0
    while True:
        rounds += 1
        songs_of, users_of = np.bincount(user[inside], minlength=1), np.bincount(song[inside], minlength=1)
        songs_of, users_of = np.pad(songs_of, (0, len(pairs))), np.pad(users_of, (0, len(pairs)))
        still = inside & (songs_of[user] >= min_user_songs) & (users_of[song] >= min_song_users)
        if (still == inside).all():
            break
        inside = still
    kept = pd.MultiIndex.from_frame(pairs[inside])
    return pd.Series(pd.MultiIndex.from_frame(plays[["user", "song"]]).isin(kept), index=plays.index), rounds


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
