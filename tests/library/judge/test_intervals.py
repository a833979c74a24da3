from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from winnow.judge.intervals import (
    Distance,
    Interval,
    beyond_chance,
    bootstrap,
    bootstrap_ratio,
    difference,
    mean,
    ratio,
    resampled_counts,
    transformed,
    wilson,
)
from winnow.measure.distributions import jensen_shannon_divergence

OPTIONS = {"resamples": 2000, "confidence": 0.95}


def test_mean_agrees_with_theory_and_scipy() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=400)
    interval = bootstrap({"mean": mean(values)}, 400, rng=np.random.default_rng(1), **OPTIONS)["mean"]
    half = 1.96 * values.std() / np.sqrt(400)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.05)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.05)
    scipy = stats.bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=2).confidence_interval
    assert interval.low == pytest.approx(scipy.low, abs=0.05)


def test_same_seed_same_interval_and_other_seed_another() -> None:
    statistic = {"mean": mean(np.arange(50.0))}
    first, again, other = (bootstrap(statistic, 50, rng=np.random.default_rng(s), **OPTIONS)["mean"] for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_ratio_of_sums_and_its_transform() -> None:
    above, below = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0])
    statistics = {"one": ratio(above, below), "e": transformed(np.exp, ratio(above, below))}
    found = bootstrap(statistics, 3, rng=np.random.default_rng(0), **OPTIONS)
    assert found["one"] == Interval(1.0, 1.0)
    assert found["e"].low == pytest.approx(np.e)


def test_groups_widen_the_interval_of_copied_rows() -> None:
    values = np.repeat(np.random.default_rng(0).normal(size=40), 10)
    rows = bootstrap({"m": mean(values)}, 400, rng=np.random.default_rng(1), **OPTIONS)["m"]
    copies = np.repeat(np.arange(40), 10)
    groups = bootstrap({"m": mean(values)}, 400, rng=np.random.default_rng(1), groups=copies, **OPTIONS)["m"]
    # ten copies of each row tell no more than one: the interval is √10 times as wide
    assert (groups.high - groups.low) / (rows.high - rows.low) == pytest.approx(np.sqrt(10), rel=0.15)


def test_groups_are_drawn_whole_and_may_repeat() -> None:
    """All 4⁴ equally likely draws of four groups written out: a group drawn twice counts with all its rows twice."""
    groups = {"a": [1.0, 4.0], "b": [10.0], "c": [2.0, 2.5, 3.0, 9.0], "d": [7.0]}
    draws = [np.concatenate([groups[name] for name in draw]) for draw in product(groups, repeat=4)]
    values, names = (
        np.concatenate(list(groups.values())),
        np.repeat(list(groups), [len(own) for own in groups.values()]),
    )
    order = np.random.default_rng(0).permutation(len(values))
    found = bootstrap(
        {"mean": mean(values[order])}, len(values), groups=names[order], resamples=20_000, confidence=0.8,
        rng=np.random.default_rng(1),
    )["mean"]  # fmt: skip
    low, high = np.quantile([draw.mean() for draw in draws], [0.1, 0.9])
    assert found.low == pytest.approx(low, abs=0.1)
    assert found.high == pytest.approx(high, abs=0.1)


def test_paired_difference_is_narrower_than_unpaired() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(size=300)
    first, second = hard + rng.normal(scale=0.1, size=300) + 0.1, hard + rng.normal(scale=0.1, size=300)
    found = bootstrap(
        {"d": difference(mean(first), mean(second)), "first": mean(first)}, 300, rng=np.random.default_rng(1), **OPTIONS
    )
    assert found["d"].low > 0, "the first minus the second"
    assert found["d"].low < (first - second).mean() < found["d"].high
    assert found["d"].high - found["d"].low < 0.3 * (found["first"].high - found["first"].low)


def test_wilson_by_its_formula_and_without_certainty() -> None:
    for hits, rows in ((7, 7), (0, 5), (3, 10), (640, 640)):
        z, share = stats.norm.ppf(0.975), hits / rows
        centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
        half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
        found = wilson(hits, rows, 0.95)
        assert found.low == pytest.approx(centre - half, abs=1e-12)
        assert found.high == pytest.approx(centre + half, abs=1e-12)
    assert wilson(7, 7, 0.95).low < 0.7
    with pytest.raises(ValueError, match="no row to take a proportion of"):
        wilson(0, 0, 0.95)


def test_a_ratio_of_independent_samples_has_both_samples_spread() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(6, 1, size=400), rng.normal(3, 1, size=100)
    found = bootstrap_ratio(mean(first), mean(second), (400, 100), rng=np.random.default_rng(1), **OPTIONS)
    value = first.mean() / second.mean()
    # the delta method: relative variances of independent means add up
    relative = np.sqrt(first.var() / 400 / first.mean() ** 2 + second.var() / 100 / second.mean() ** 2)
    assert found.low == pytest.approx(value * (1 - 1.96 * relative), rel=0.015)
    assert found.high == pytest.approx(value * (1 + 1.96 * relative), rel=0.015)
    with pytest.raises(ValueError, match="no row to resample"):
        bootstrap_ratio(mean(first), mean([]), (400, 0), rng=rng, **OPTIONS)


def test_samples_of_a_ratio_are_resampled_independently() -> None:
    values = np.random.default_rng(0).normal(6, 1, size=100)
    found = bootstrap_ratio(mean(values), mean(values), (100, 100), rng=np.random.default_rng(1), **OPTIONS)
    assert found.low < 0.98
    assert found.high > 1.02


def test_undefined_everywhere_is_told() -> None:
    with pytest.raises(ValueError, match="nothing is undefined on every resample"):
        bootstrap({"nothing": ratio([1.0, 1.0], [0.0, 0.0])}, 2, rng=np.random.default_rng(0), **OPTIONS)


def test_no_rows_are_told() -> None:
    with pytest.raises(ValueError, match="no row to resample"):
        bootstrap({}, 0, rng=np.random.default_rng(0), **OPTIONS)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(1, 40), st.integers(0, 5))
def test_a_resample_draws_whole_groups_as_many_as_there_are(groups: list[int], resamples: int, seed: int) -> None:
    counts = np.concatenate(list(resampled_counts(len(groups), resamples, np.random.default_rng(seed), groups)))
    assert counts.shape == (resamples, len(groups))
    labels = np.array(groups)
    for group in np.unique(labels):
        of_group = counts[:, labels == group]
        assert (of_group == of_group[:, :1]).all()
    drawn = sum(counts[:, np.flatnonzero(labels == group)[0]] for group in np.unique(labels))
    assert (drawn == len(set(groups))).all()


def means_apart(values: NDArray[np.float64]) -> Distance:
    def apart(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
        first, second = (counts @ values / counts.sum(axis=1) for counts in (one, other))
        return np.abs(first - second)

    return apart


def bounds_of_means_apart(shift: float, pairs: int) -> NDArray[np.float64]:
    """(pairs, 4): distance, what is beyond chance, and its ends, of 60 and 40 draws from two normal populations."""
    options, rng = {"resamples": 200, "confidence": 0.95}, np.random.default_rng(5)
    rows = []
    for _ in range(pairs):
        values = np.concatenate([rng.normal(shift, 1, 60), rng.normal(0, 1, 40)])
        found = beyond_chance({"apart": means_apart(values)}, (60, 40), rng=rng, **options)["apart"]
        rows.append((found.distance, found.beyond_chance, found.interval.low, found.interval.high))
    return np.array(rows)


def test_samples_of_one_population_are_beyond_chance_as_often_as_the_confidence_says() -> None:
    distance, beyond, low, high = bounds_of_means_apart(0.0, pairs=400).T
    assert 0.008 < (low > 0).mean() < 0.045  # 0.025, give or take two standard errors
    assert (high > 0).all()
    assert beyond.mean() < 0.5 * distance.mean()


@pytest.mark.parametrize("shift", [0.2, 0.5, 1.0])
def test_the_interval_beyond_chance_holds_the_distance_of_the_populations(shift: float) -> None:
    distance, beyond, low, high = bounds_of_means_apart(shift, pairs=200).T
    assert ((low <= shift) & (shift <= high)).mean() > 0.93
    assert (low <= beyond).all()
    assert (beyond <= distance).all()
    assert shift < 1 or (low > 0).mean() > 0.95, "what is far apart is found"


def test_the_interval_of_a_divergence_which_is_no_metric_begins_below_that_of_the_populations() -> None:
    """The deals of far populations vary less than their divergence does: alone they begin above it too often."""
    rng = np.random.default_rng(3)
    one, other = rng.dirichlet(np.ones(40), size=2)
    of_populations = jensen_shannon_divergence(one, other)
    lows = []
    for _ in range(150):
        drawn = np.concatenate([rng.multinomial(6, each, size=80) for each in (one, other)])

        def divergence(first: NDArray[np.int64], second: NDArray[np.int64], drawn: Any = drawn) -> NDArray[np.float64]:
            pairs = zip(first @ drawn, second @ drawn, strict=True)
            return np.array([jensen_shannon_divergence(left, right) for left, right in pairs])

        found = beyond_chance({"apart": divergence}, (80, 80), resamples=60, confidence=0.95, rng=rng)["apart"]
        lows.append(found.interval.low)
    assert np.mean(np.array(lows) > of_populations) < 0.08
    assert min(lows) > 0


def test_no_distance_beyond_chance_is_below_nothing() -> None:
    """Of two samples that are alike, and any other two samples of their rows are not; one without a row is an error."""
    values = np.tile([-1.0, 1.0], 50)
    options, rng = {"resamples": 500, "confidence": 0.95}, np.random.default_rng(0)
    found = beyond_chance({"apart": means_apart(values)}, (50, 50), rng=rng, **options)["apart"]
    assert (found.distance, found.beyond_chance, found.interval.low) == (0, 0, 0)
    assert found.interval.high > 0
    with pytest.raises(ValueError, match="no row to resample"):
        beyond_chance({"apart": means_apart(values)}, (0, 100), rng=rng, **options)
