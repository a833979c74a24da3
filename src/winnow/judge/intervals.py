"""Confidence intervals of metrics: the uncertainty that comes from the choice of the test rows.

Bootstrap percentile intervals (Efron 1979) resample rows, or groups of rows that belong together (`groups`); they do
not cover the randomness of training. All statistics of one call see the same resamples, so that the interval of a
`difference` is a paired one. Proportions get Wilson's interval: a bootstrap of 7 hits in 7 rows gives "1 to 1".
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from winnow.pipeline.console import doing

Counts = NDArray[np.int64]
"""How often each row is in each resample, (resamples, rows)."""

Statistic = Callable[[Counts], NDArray[np.float64]]
"""A metric of resampled rows: (resamples, rows) counts to (resamples,) values, NaN where it is undefined."""

BLOCK = 4_000_000
"""Counts held at a time."""


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


def bootstrap(
    statistics: Mapping[str, Statistic],
    rows: int,
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
    groups: ArrayLike | None = None,
) -> dict[str, Interval]:
    """The central `confidence` interval of each statistic over `resamples` resamples of `rows` rows.

    `groups` (rows,) names what is drawn as a whole. Raises ValueError without rows, or when a statistic is undefined on
    every resample.
    """
    doing("computing confidence intervals")
    if rows == 0:
        raise ValueError("there is no row to resample")
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in statistics}
    for counts in resampled_counts(rows, resamples, rng, groups):
        for name, statistic in statistics.items():
            drawn[name].append(np.asarray(statistic(counts), dtype=np.float64))
    return {name: _percentiles(name, np.concatenate(parts), confidence) for name, parts in drawn.items()}


def values(statistics: Mapping[str, Statistic], rows: int) -> dict[str, float]:
    """Each statistic of the `rows` rows as they are."""
    whole: Counts = np.ones((1, rows), dtype=np.int64)
    return {name: float(statistic(whole)[0]) for name, statistic in statistics.items()}


def defined(statistics: Mapping[str, Statistic], rows: int) -> dict[str, Statistic]:
    """Those that are finite numbers on the `rows` rows as they are."""
    return {name: statistics[name] for name, value in values(statistics, rows).items() if np.isfinite(value)}


def wilson(successes: int, trials: int, confidence: float) -> Interval:
    """Wilson's score interval (1927) of a proportion of independent rows; raises ValueError without a trial."""
    if trials == 0:
        raise ValueError("there is no row to take a proportion of")
    found = scipy.stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    return Interval(float(found.low), float(found.high))


def bootstrap_ratio(
    first: Statistic,
    second: Statistic,
    rows: tuple[int, int],
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> Interval:
    """The interval of `first` / `second` measured on two independent samples of `rows` rows, each resampled by itself.

    Raises ValueError without rows, or when the ratio is undefined on every resample.
    """
    if min(rows) == 0:
        raise ValueError("there is no row to resample")
    above, below = (
        np.concatenate([statistic(counts) for counts in resampled_counts(count, resamples, rng)])
        for statistic, count in zip((first, second), rows, strict=True)
    )
    ratios = np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)
    return _percentiles("ratio", ratios, confidence)


def beyond_chance(
    statistics: Mapping[str, Statistic], rows: int, *, resamples: int, confidence: float, rng: np.random.Generator
) -> dict[str, tuple[float, Interval]]:
    """Of each distance between two samples by how much it is more than their sampling makes it, with an interval.

    A distance is above 0 for two samples of one population, and a resample is as far again from its sample. What the
    resamples are further by on average is taken away from the measured distance, and the interval is the basic one
    (Davison and Hinkley 1997, 2.1 and 5.2); both are cut at 0. Raises ValueError without rows, or when a statistic is
    undefined on every resample.
    """
    if rows == 0:
        raise ValueError("there is no row to resample")
    found = values(statistics, rows)
    drawn: dict[str, list[NDArray[np.float64]]] = {name: [] for name in statistics}
    for counts in resampled_counts(rows, resamples, rng):
        for name, statistic in statistics.items():
            drawn[name].append(np.asarray(statistic(counts), dtype=np.float64))
    told = {}
    for name, value in found.items():
        resampled = np.concatenate(drawn[name])
        percentiles = _percentiles(name, resampled, confidence)
        low, middle, high = (
            max(0.0, 2 * value - each) for each in (percentiles.high, float(np.nanmean(resampled)), percentiles.low)
        )
        told[name] = middle, Interval(low, high)
    return told


def resampled_counts(
    rows: int, resamples: int, rng: np.random.Generator, groups: ArrayLike | None = None
) -> Iterator[Counts]:
    """Blocks of counts, (some resamples, rows), as many as give `resamples` in all."""
    codes = np.arange(rows) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    units = int(codes.max()) + 1
    block = max(1, BLOCK // max(units, rows))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(units, size=(size, units)) + np.arange(size)[:, None] * units
        counts = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        yield counts if groups is None else counts[:, codes]


def mean(values: ArrayLike) -> Statistic:
    """The mean of (rows,) `values`."""
    return ratio(values, np.ones(len(np.asarray(values))))


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Statistic:
    """The sum of (rows,) `numerator` over the sum of (rows,) `denominator`."""
    above, below = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)

    def statistic(counts: Counts) -> NDArray[np.float64]:
        total = counts @ below
        undefined = np.full(len(counts), np.nan)
        values: NDArray[np.float64] = np.divide(counts @ above, total, out=undefined, where=total != 0)
        return values

    return statistic


def on_rows(statistic: Statistic, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Statistic:
    """`statistic`, which is of some rows alone, as one of all rows; `rows` are their places, or a mask."""
    return lambda counts: statistic(counts[:, rows])


def transformed(function: Callable[[NDArray[np.float64]], NDArray[np.float64]], statistic: Statistic) -> Statistic:
    """A function of a statistic, such as `np.exp` of a mean."""
    return lambda counts: function(statistic(counts))


def difference(first: Statistic, second: Statistic) -> Statistic:
    """`first` - `second` on the same resamples: a paired comparison."""
    return lambda counts: first(counts) - second(counts)


def _percentiles(name: str, values: NDArray[np.float64], confidence: float) -> Interval:
    defined = values[~np.isnan(values)]
    if defined.size == 0:
        raise ValueError(f"{name} is undefined on every resample")
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return Interval(float(low), float(high))
