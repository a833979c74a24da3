"""Which rows are drawn, and how they are shared out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.learn.samplers import BalancedBatchSampler, BatchShare, EpochSampler, LengthBucketSampler
from winnow.pipeline.errors import TrainingError

ALONE = BatchShare(batch_size=4, gradient_accumulation_steps=1, processes=1, rank=0)


def batches(sampler: EpochSampler, seed: int) -> list[list[int]]:
    return [sampler.batch(seed, index).tolist() for index in range(len(sampler))]


@given(
    rows=st.integers(1, 60),
    micro=st.integers(1, 4),
    gradient_accumulation_steps=st.integers(1, 3),
    processes=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_counts_once_and_steps_are_the_same_however_they_are_cut(
    rows: int, micro: int, gradient_accumulation_steps: int, processes: int, seed: int
) -> None:
    batch_size = micro * gradient_accumulation_steps * processes
    whole = batches(EpochSampler(rows, BatchShare(batch_size, 1, 1, 0)), seed)
    samplers = [
        EpochSampler(rows, BatchShare(batch_size, gradient_accumulation_steps, processes, rank))
        for rank in range(processes)
    ]
    assert {len(sampler) for sampler in samplers} == {len(whole) * gradient_accumulation_steps}
    steps: list[list[int]] = [[] for _ in whole]
    for sampler in samplers:
        for index, batch in enumerate(batches(sampler, seed)):
            assert len(batch) > 0
            if not sampler.is_filler(index):
                steps[index // gradient_accumulation_steps] += batch
    assert [sorted(step) for step in steps] == [sorted(step) for step in whole]
    assert Counter(row for step in steps for row in step) == Counter(range(rows))


@given(
    weights=st.lists(st.floats(0, 100), min_size=1, max_size=80).filter(lambda values: sum(values) > 0.01),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_weighted_epoch_draws_each_row_its_share(weights: list[float], seed: int) -> None:
    chosen = np.array(weights)
    drawn = np.bincount(EpochSampler(len(chosen), ALONE, chosen).order(seed), minlength=len(chosen))
    expected = len(chosen) * chosen / chosen.sum()
    assert drawn.sum() == len(chosen)
    assert (np.abs(drawn - expected) < 1 + 1e-6).all()


def test_weighted_shares_are_right_on_average() -> None:
    weights = np.array([1.0, 2.0, 3.0, 0.0, 1.5])
    sampler = EpochSampler(5, ALONE, weights)
    drawn = sum(np.bincount(sampler.order(seed), minlength=5) for seed in range(4000))
    np.testing.assert_allclose(drawn / drawn.sum(), weights / weights.sum(), atol=0.005)


def test_a_row_that_is_drawn_often_is_spread_over_the_epoch() -> None:
    sampler = EpochSampler(200, ALONE, np.array([199.0] + [1.0] * 199))
    for seed in range(20):
        drawn = np.equal(sampler.order(seed), 0)
        assert drawn.sum() == 100
        assert 30 <= drawn[:100].sum() <= 70  # 50 ± 3.5 where draws are in random order


def test_no_class_comes_first_in_every_turn() -> None:
    labels = np.repeat(range(5), [300, 20, 40, 150, 90])
    order = BalancedBatchSampler(labels, ALONE).order(1)
    turns = labels[order].reshape(-1, 5)
    assert (np.sort(turns, axis=1) == range(5)).all()
    for place in range(5):
        counts = np.bincount(turns[:, place], minlength=5)
        assert counts.min() > 120 / 5 / 3  # of 120 turns


def test_batches_of_like_lengths_come_in_random_order() -> None:
    lengths = np.random.default_rng(0).integers(1, 1000, 402)
    sampler = LengthBucketSampler(lengths.tolist(), ALONE)
    found = batches(sampler, 3)
    assert sorted(row for batch in found for row in batch) == list(range(402))
    assert [len(batch) for batch in found] == [4] * 100 + [2], "the smaller one is the last"
    assert np.mean([np.ptp(lengths[batch]) for batch in found[:-1]]) < 50, "of 600 among rows at random"
    means = [lengths[batch].mean() for batch in found[:-1]]
    assert 30 < np.sum(np.diff(means) > 0) < 70, "from short to long"
    assert found != batches(sampler, 4)


def test_a_batch_does_not_depend_on_those_made_before() -> None:
    sampler = EpochSampler(37, ALONE, np.linspace(1, 2, 37))
    whole = batches(sampler, 5)
    for index in (7, 2, 9):
        sampler.batch(6, index)
        assert sampler.batch(5, index).tolist() == whole[index]


def test_epochs_differ() -> None:
    sampler = EpochSampler(50, ALONE)
    assert sampler.order(1).tolist() != sampler.order(2).tolist()


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, -1.0, 2.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 1.0]])
def test_weights_that_cannot_be_are_refused(weights: list[float]) -> None:
    with pytest.raises(TrainingError, match="the weights do not fit 3 rows"):
        EpochSampler(3, ALONE, np.array(weights))
