"""Weights: bounded, rising, neutral where nothing is known, and drawn as they say."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from winnow.curate.weights import (
    balanced_class_weights,
    draw_epochs,
    drawn_ratio,
    effective_sample_size,
    inverse_frequency_weights,
    log_scale_weights,
    to_mean_one,
)

COUNTS = st.lists(st.one_of(st.none(), st.integers(0, 10**6)), min_size=1, max_size=50)


def weigh(counts: list[int | None]) -> "pd.Series[float]":
    return log_scale_weights(pd.Series(counts, dtype="Int64"), low=10, high=100, high_ratio=2.1, max_ratio=2.9)


@given(COUNTS)
def test_weights_rise_with_counts_within_their_bounds_and_unknown_weighs_the_mean(counts: list[int | None]) -> None:
    weights = weigh(counts)
    assert weights.between(1, 2.9).all()
    known = [(count, weight) for count, weight in zip(counts, weights, strict=True) if count is not None]
    assert [weight for _, weight in sorted(known)] == sorted(weight for _, weight in known)
    mean = np.mean([weight for _, weight in known]) if known else 1
    assert all(w == pytest.approx(mean) for count, w in zip(counts, weights, strict=True) if count is None)


def test_the_named_counts_have_the_named_weights() -> None:
    assert weigh([0, 10, 100, 10**9]).tolist() == pytest.approx([1, 1, 2.1, 2.9])
    growth = weigh([20, 40, 80]).diff().dropna()
    assert growth.iloc[0] == pytest.approx(growth.iloc[1]), "each doubling adds the same"


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60))
def test_class_weights_are_those_of_scikit_learn_and_balance_the_classes(labels: list[str]) -> None:
    weights = balanced_class_weights(pd.Series(labels))
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    assert weights.tolist() == pytest.approx(list(expected))
    rows = inverse_frequency_weights(pd.Series(labels))
    assert rows.mean() == pytest.approx(1)
    sums = rows.groupby(pd.Series(labels)).sum()
    assert sums.tolist() == pytest.approx([len(labels) / len(sums)] * len(sums))


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=40))
def test_the_effective_sample_size_lies_between_one_and_all(values: list[float]) -> None:
    weights = pd.Series(values)
    assert 1 - 1e-9 <= effective_sample_size(weights) <= len(values) + 1e-9
    assert effective_sample_size(to_mean_one(weights)) == pytest.approx(effective_sample_size(weights))
    assert to_mean_one(weights).mean() == pytest.approx(1)


def test_equal_weights_lose_nothing() -> None:
    assert effective_sample_size(pd.Series([3.0] * 7)) == pytest.approx(7)


def test_rows_are_drawn_as_often_as_they_weigh() -> None:
    weights = pd.Series([1.0] * 50 + [2.5] * 50)
    draws = draw_epochs(weights, 200, np.random.default_rng(0))
    assert draws.shape == (200, 100)
    assert (draws.sum(axis=1) == 100).all()
    heavy = weights.to_numpy() > 1
    ratio = drawn_ratio(draws, heavy, ~heavy)
    assert ratio is not None
    assert ratio["mean"] == pytest.approx(2.5, rel=0.05)  # 20,000 draws: a standard deviation of 0.04
    assert ratio["std"] > 0
    assert drawn_ratio(draws, heavy, np.zeros(100, dtype=bool)) is None
