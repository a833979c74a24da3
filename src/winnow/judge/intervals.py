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

Distance = Callable[[Counts, Counts], NDArray[np.float64]]
"""How far two samples of rows are apart: (resamples, rows) counts of each to (resamples,) values, NaN if undefined."""

BLOCK = 4_000_000
"""Counts held at a time."""


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


@dataclass(frozen=True)
class Apart:
    """How far two samples are apart, what of it is beyond chance, and how far their populations may be apart."""

    distance: float
    beyond_chance: float
    interval: Interval


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
    distances: Mapping[str, Distance],
    rows: tuple[int, int],
    *,
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> dict[str, Apart]:
    """Each distance between two samples of `rows` rows, and what of it is beyond chance, with an interval.

    Two samples of one population are not at distance 0. Chance is what the distance is when all rows are dealt anew to
    two samples of these sizes (the null distribution of a permutation test: Davison and Hinkley 1997, 4.3); its mean is
    taken away. The interval bounds how far the populations are apart. To either side of the measured distance it
    reaches as far as all but (1 - confidence) / 2 of the deals are apart, which the triangle inequality bounds, and at
    least as far as the basic bootstrap (the same, 5.2), which alone begins above 0 too often for populations that are
    alike. With both it does so in about (1 - confidence) / 2 of cases or fewer. Its upper end is wide for what is no
    metric, such as a divergence. All is cut at 0.

    Distances that are undefined on the samples themselves are left out. Raises ValueError without rows, or when one is
    undefined on every resample.
    """
    if min(rows) == 0:
        raise ValueError("there is no row to resample")
    of_first = np.arange(sum(rows)) < rows[0]
    whole = (of_first[None].astype(np.int64), (~of_first)[None].astype(np.int64))
    found = {name: float(distance(*whole)[0]) for name, distance in distances.items()}
    known = {name: distance for name, distance in distances.items() if np.isfinite(found[name])}
    drawn = ((counts * of_first, counts * ~of_first) for counts in resampled_counts(sum(rows), resamples, rng))
    resampled, dealt = (_distances(known, pairs) for pairs in (drawn, _dealt_anew(of_first, resamples, rng)))
    told = {}
    for name in known:
        spread, chance = (_percentiles(name, values[name], confidence) for values in (resampled, dealt))
        apart, by_chance = found[name], float(np.nanmean(dealt[name]))
        low, high = apart - max(chance.high, spread.high - apart), apart + max(chance.high, apart - spread.low)
        told[name] = Apart(apart, max(0.0, apart - by_chance), Interval(max(0.0, low), high))
    return told


def _dealt_anew(of_first: NDArray[np.bool_], times: int, rng: np.random.Generator) -> Iterator[tuple[Counts, Counts]]:
    """Blocks of the counts of two samples, to which all rows are dealt at random."""
    block = max(1, BLOCK // len(of_first))
    for start in range(0, times, block):
        first = rng.permuted(np.tile(of_first, (min(block, times - start), 1)), axis=1)
        yield first.astype(np.int64), (~first).astype(np.int64)


def _distances(
    distances: Mapping[str, Distance], pairs: Iterator[tuple[Counts, Counts]]
) -> dict[str, NDArray[np.float64]]:
    """Each distance of every pair of samples."""
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in distances}
    for first, second in pairs:
        for name, distance in distances.items():
            found[name].append(np.asarray(distance(first, second), dtype=np.float64))
    return {name: np.concatenate(parts) for name, parts in found.items()}


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
