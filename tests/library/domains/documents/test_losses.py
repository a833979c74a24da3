"""The losses, against numpy and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from torch import Tensor

from winnow.domains.documents import definitions
from winnow.domains.documents.model import losses

torch.manual_seed(0)
LOGITS = torch.randn(12, 5)
LABELS = torch.arange(12) % 5
TARGETS = torch.nn.functional.one_hot(LABELS, 5).float()


def of_rows(values: Tensor) -> list[float]:
    return [float(value) for value in values]


def test_class_loss_without_focus_is_the_log_loss_and_weights_multiply_it() -> None:
    plain = losses.class_loss(LOGITS, TARGETS, None, 0.0)
    assert float(plain.mean()) == pytest.approx(log_loss(LABELS, LOGITS.double().softmax(1), labels=range(5)), rel=1e-5)
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert of_rows(losses.class_loss(LOGITS, TARGETS, weights, 0.0)) == pytest.approx(of_rows(plain * weights[LABELS]))
    p = LOGITS.softmax(1)[range(12), LABELS]
    assert of_rows(losses.class_loss(LOGITS, TARGETS, None, 2.0)) == pytest.approx(of_rows(-((1 - p) ** 2) * p.log()))


def test_soft_targets_mix_the_loss() -> None:
    other = TARGETS.roll(1, 0)
    mixed = losses.class_loss(LOGITS, 0.3 * TARGETS + 0.7 * other, None, 2.0)
    parts = 0.3 * losses.class_loss(LOGITS, TARGETS, None, 2.0) + 0.7 * losses.class_loss(LOGITS, other, None, 2.0)
    assert of_rows(mixed) == pytest.approx(of_rows(parts), rel=1e-5)


def test_ordinal_loss_is_the_mean_of_four_binary_ones() -> None:
    p = LOGITS.double().softmax(1).numpy()
    expected = []
    for row, label in zip(p, LABELS.tolist(), strict=True):
        worse = [row[step + 1 :].sum() for step in range(4)]
        expected.append(-np.mean([np.log(w) if label > step else np.log(1 - w) for step, w in enumerate(worse)]))
    assert of_rows(losses.ordinal_loss(LOGITS, TARGETS)) == pytest.approx(expected, rel=1e-4)
    far = torch.tensor([[9.0, 0, 0, 0, 0], [0, 0, 0, 9.0, 0]])
    worst = losses.ordinal_loss(far, torch.tensor([[0.0, 0, 0, 0, 1]] * 2))
    assert worst[0] > 2 * worst[1]


def test_score_loss_is_quadratic_near_and_linear_far() -> None:
    logits = torch.logit(torch.tensor([0.5, 0.52, 0.9]))
    found = of_rows(losses.score_loss(logits, torch.full((3,), 0.5)))
    assert found == pytest.approx([0, 0.02**2 / (2 * losses.HUBER), 0.4 - losses.HUBER / 2], abs=1e-6)


def test_issue_loss_takes_severities_else_flags_else_nothing() -> None:
    logits, nan = torch.zeros(3, 10), torch.full((3, 10), float("nan"))
    logits[:, 0] = 0.7
    severities, flags = nan.clone(), nan.clone()
    severities[0, 0], flags[1, 0] = 0.3, 1.0
    found = losses.issue_loss(logits, severities, flags, 0.2)
    p = 1 / (1 + np.exp(-0.7))
    assert float(found[0]) == pytest.approx(-(0.3 * np.log(p) + 0.7 * np.log(1 - p)), rel=1e-5)
    chance = 1 / (1 + np.exp(-(0.7 - np.log(0.2 / 0.8))))
    assert float(found[1]) == pytest.approx(-np.log(chance), rel=1e-5)
    assert float(found[2]) == 0


def test_consistency_is_zero_when_score_and_class_agree() -> None:
    sure = torch.full((1, 5), -40.0)
    sure[0, 1] = 40.0
    agreeing = torch.logit(torch.tensor([definitions.CENTRES[1]]))
    assert float(losses.consistency_loss(agreeing, sure)) == pytest.approx(0, abs=1e-10)
    assert float(losses.consistency_loss(torch.logit(torch.tensor([0.3])), sure)) == pytest.approx(0.4**2, rel=1e-4)


def test_unknown_targets_cost_nothing_and_change_no_other_row() -> None:
    scores, targets = torch.rand(12), TARGETS.clone()
    known = torch.arange(12) % 3 > 0
    unknown_scores = torch.where(known, scores, torch.nan)
    targets[~known] = torch.nan
    for loss, whole in (
        (losses.score_loss(LOGITS[:, 0], unknown_scores), losses.score_loss(LOGITS[:, 0], scores)),
        (losses.class_loss(LOGITS, targets, None, 2.0), losses.class_loss(LOGITS, TARGETS, None, 2.0)),
        (losses.ordinal_loss(LOGITS, targets), losses.ordinal_loss(LOGITS, TARGETS)),
    ):
        assert of_rows(loss) == of_rows(torch.where(known, whole, torch.zeros(12)))
