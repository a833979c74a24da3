"""The losses, against dense formulas."""

import numpy as np
import pytest
import torch

from winnow.recommend.losses import bpr_loss, sampled_softmax_loss


def test_bpr_is_minus_the_logarithm_of_the_probability_of_the_right_order() -> None:
    positive, negative = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1.0, 3.0, 0.5])
    difference = (positive - negative).numpy()
    assert bpr_loss(positive, negative).numpy() == pytest.approx(np.log1p(np.exp(-difference)), rel=1e-6)


def test_sampled_softmax_is_the_cross_entropy_among_corrected_candidates() -> None:
    rng = np.random.default_rng(0)
    row, positive = np.array([0, 0, 1]), rng.normal(size=3)
    candidates, log_prob = rng.normal(size=(2, 4)), np.log(rng.random(4))
    known = {(0, 1), (1, 0), (1, 3)}
    expected = []
    for user, score in zip(row, positive, strict=True):
        rivals = [candidates[user, c] - log_prob[c] for c in range(4) if (user, c) not in known]
        expected.append(np.log(np.exp(score) + np.exp(rivals).sum()) - score)
    found = sampled_softmax_loss(
        torch.tensor(positive), torch.tensor(row), torch.tensor(candidates), torch.tensor(log_prob),
        torch.tensor(sorted(known)).T,
    )  # fmt: skip
    assert found.numpy() == pytest.approx(np.array(expected), rel=1e-9)
