"""Two models compared row by row, by the tables that evaluate stored of each."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winnow.judge.intervals import Interval, Statistic, bootstrap, difference


@dataclass(frozen=True)
class Compared:
    """A table in which evaluate stores what it measured row by row, and the metrics of that table."""

    path: str
    """relative to `data/<domain>/`"""
    key: Sequence[str]
    """the columns that identify a row"""
    statistics: Callable[[pd.DataFrame], Mapping[str, Statistic]]
    """the metrics of a table of test rows, by the names they have in evaluate.json"""
    rows: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table
    """the test rows of the stored table"""
    groups: str | None = None
    """the column of rows that are resampled together"""
    truth: Sequence[str] = ()
    """columns that do not depend on the model: rows are the same test rows where these are equal too"""
    numbered_by: Sequence[str] = ()
    """stages whose outputs determine what a `key` means, where it is only a number"""
    whole: str = "the test set"
    """what the rows are, for messages"""


def same_rows(before: pd.DataFrame, after: pd.DataFrame, compared: Compared) -> bool:
    """Whether both tables hold the same rows with the same truth, in any order."""
    columns = [*compared.key, *compared.truth]
    first, second = (table[columns].sort_values(list(compared.key), ignore_index=True) for table in (before, after))
    return first.equals(second)


def paired_intervals(
    compared: Compared,
    before: pd.DataFrame,
    after: pd.DataFrame,
    names: Collection[str],
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Interval]:
    """The interval of the change of the metrics `names` from `before` to `after`, over resamples of the test rows.

    Metrics that only one of them defines are left out.
    """
    first, second = (table.sort_values(list(compared.key), ignore_index=True) for table in (before, after))
    own, other = compared.statistics(first), compared.statistics(second)
    apart = {name: difference(other[name], own[name]) for name in own if name in other and name in names}
    groups = first[compared.groups] if compared.groups else None
    return bootstrap(apart, len(first), resamples=resamples, confidence=confidence, rng=rng, groups=groups)
