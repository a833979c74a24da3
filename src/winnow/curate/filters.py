"""Filtering by named rules: every dropped row has one reason, the first rule it breaks."""

from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass

import pandas as pd

from winnow.pipeline.errors import TableError


@dataclass(frozen=True)
class Rule:
    """A reason to drop a row: `breaks` says, for all rows of a table at once, which ones break the rule."""

    name: str
    breaks: Callable[[pd.DataFrame], "pd.Series[bool]"]


def apply_rules(table: pd.DataFrame, rules: Sequence[Rule]) -> "pd.Series[str]":
    """The name of the first rule each row breaks, missing where it breaks none; indexed like `table`.

    A rule sees all rows that no rule before it drops, so it may compare rows. A mask's missing values count as not
    broken.
    """
    reason: pd.Series[str] = pd.Series(None, index=table.index, dtype="str")
    left = table
    for rule in rules:
        broken = rule.breaks(left).astype("boolean").fillna(False).astype(bool)
        if broken.any():
            reason[left.index[broken]] = rule.name
            left = left[~broken]
    return reason


def rule_counts(reason: "pd.Series[str]", rules: Sequence[Rule]) -> dict[str, int]:
    """Rows dropped by each rule, in the rules' order, with 0 for a rule that nothing broke."""
    counts = reason.value_counts()
    return {rule.name: int(counts.get(rule.name, 0)) for rule in rules}


def dropped_rows(key: pd.Series, reason: "pd.Series[str]") -> pd.DataFrame:
    """The `Dropped` rows: the rule each dropped row breaks, and its value of `key`, both indexed like the table."""
    return pd.DataFrame({"rule": reason, str(key.name): key}).dropna(subset="rule")


def check_not_empty(kept: Sized, counts: dict[str, int], *, fix: str) -> None:
    """Raise TableError, with the number of rows that each rule dropped, when no row is left."""
    if len(kept):
        return
    dropped = ", ".join(f"{name} {count}" for name, count in counts.items() if count)
    raise TableError(f"no row is left after filtering (dropped: {dropped or 'nothing, the table was empty'})", fix=fix)
