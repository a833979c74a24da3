"""Which entries of playlists are kept."""

import numpy as np
import pandas as pd

from winnow.curate.core import k_core
from winnow.curate.duplicates import sequence_digests
from winnow.curate.filters import Rule, apply_rules, check_not_empty, dropped_rows, rule_counts
from winnow.domains.playlists.params import Filter


def entry_rules(params: Filter) -> list[Rule]:
    """The rules in the order in which they are applied."""
    return [
        Rule("repeated_track", _repeats),
        Rule("same_playlist", _same_playlists),
        Rule("rare_track", lambda entries: _owners(entries) < params.min_track_playlists),
        Rule("short_playlist", lambda entries: _lengths(entries) < params.min_tracks),
    ]


def keep_entries(entries: pd.DataFrame, params: Filter) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """Entries that are kept, by playlist and position, the `Dropped` ones, and how many each rule dropped.

    What is rare or short only because of what was dropped goes by the rule `k_core`. Raises TableError when no entry
    is left.
    """
    entries = entries.sort_values(["playlist", "position"])
    rules = entry_rules(params)
    reason = apply_rules(entries, rules)
    counts = rule_counts(reason, rules)
    left = entries[reason.isna()]
    inside, _ = k_core(
        left["playlist"], left["track"], min_items=params.min_tracks, min_owners=params.min_track_playlists
    )
    reason[inside.index[~inside]] = "k_core"
    counts["k_core"] = int((reason == "k_core").sum())
    kept = entries[reason.isna()]
    check_not_empty(kept, counts, fix="lower playlists.filter.min_tracks and min_track_playlists, or use more data")
    return kept, dropped_rows(entries["entry"], reason), counts


def same_playlists(entries: pd.DataFrame, playlists: pd.DataFrame) -> pd.DataFrame:
    """The source, place (its own id) and key of every playlist: those with one key have the same tracks in order."""
    digests = sequence_digests(entries["playlist"], entries["position"], entries["track"])
    rows = playlists.assign(digest=playlists["playlist"].map(digests)).dropna(subset="digest")
    return rows.rename(columns={"key": "place", "digest": "key"})[["source", "place", "key"]]


def _repeats(entries: pd.DataFrame) -> "pd.Series[bool]":
    """A track that occurs earlier in its playlist."""
    return entries.duplicated(["playlist", "track"])


def _same_playlists(entries: pd.DataFrame) -> "pd.Series[bool]":
    """Entries of a playlist with the same tracks in the same order as an earlier one."""
    digests = sequence_digests(entries["playlist"], entries["position"], entries["track"])
    again = digests.index[digests.duplicated()]
    return entries["playlist"].isin(again)


def _lengths(entries: pd.DataFrame) -> "pd.Series[int]":
    """Distinct tracks of each entry's playlist."""
    first = ~_repeats(entries)
    return first.groupby(entries["playlist"]).transform("sum")


def _owners(entries: pd.DataFrame) -> "pd.Series[int]":
    """Distinct playlists of each entry's track, without those that are there twice."""
    counted = (~_repeats(entries) & ~_same_playlists(entries)).astype(np.int64)
    return counted.groupby(entries["track"]).transform("sum")
