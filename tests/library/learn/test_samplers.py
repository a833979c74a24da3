"""Which rows are drawn, and how they are shared out."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.pipeline.errors import TrainingError

ALONE = BatchShare(batch_size=4, accumulation=1, processes=1, rank=0)


@given(
    rows=st.integers(1, 60),
    micro=st.integers(1, 4),
    accumulation=st.integers(1, 3),
    processes=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_row_comes_once_over_all_processes(
    rows: int, micro: int, accumulation: int, processes: int, seed: int
) -> None:
    batch_size = micro * accumulation * processes
    samplers = [EpochSampler(rows, BatchShare(batch_size, accumulation, processes, rank)) for rank in range(processes)]
    parts = [list(sampler.batches(seed)) for sampler in samplers]
    assert {len(part) for part in parts} == {len(samplers[0])}
    for same_moment in zip(*parts, strict=True):
        assert len({len(batch) for batch in same_moment}) == 1
    drawn = Counter(row for part in parts for batch in part for row in batch.tolist())
    assert set(drawn) == set(range(rows))
    assert sum(drawn.values()) - rows < accumulation * processes


@given(rows=st.integers(1, 60), seed=st.integers(0, 2**32 - 1), processes=st.integers(1, 3))
def test_a_step_has_the_same_rows_however_many_devices(rows: int, seed: int, processes: int) -> None:
    def steps(share: BatchShare) -> list[list[int]]:
        parts = [
            list(EpochSampler(rows, BatchShare(12, share.accumulation, share.processes, rank)).batches(seed))
            for rank in range(share.processes)
        ]
        whole = []
        for start in range(0, len(parts[0]), share.accumulation):
            pieces = [batch for part in parts for batch in part[start : start + share.accumulation]]
            whole.append(sorted(np.concatenate(pieces).tolist()))
        return whole

    alone, together = steps(BatchShare(12, 1, 1, 0)), steps(BatchShare(12, 2, processes, 0))
    assert together[:-1] == alone[:-1]
    assert set(alone[-1]) <= set(together[-1])


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


@given(seed=st.integers(0, 2**32 - 1), skip=st.integers(0, 10))
def test_skipping_gives_the_rest_of_the_same_epoch(seed: int, skip: int) -> None:
    sampler = EpochSampler(37, ALONE, np.linspace(1, 2, 37))
    whole = [batch.tolist() for batch in sampler.batches(seed)]
    assert [batch.tolist() for batch in sampler.batches(seed, skip)] == whole[skip:]


def test_epochs_differ() -> None:
    sampler = EpochSampler(50, ALONE)
    assert sampler.order(1).tolist() != sampler.order(2).tolist()


@pytest.mark.parametrize("weights", [[1.0, 2.0], [1.0, -1.0, 2.0], [0.0, 0.0, 0.0], [1.0, float("nan"), 1.0]])
def test_weights_that_cannot_be_are_refused(weights: list[float]) -> None:
    with pytest.raises(TrainingError, match="the weights do not fit 3 rows"):
        EpochSampler(3, ALONE, np.array(weights))
