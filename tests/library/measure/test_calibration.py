"""Calibration errors by hand, and a temperature that is known."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from winnow.measure.calibration import (
    calibration_errors,
    confidence_bins,
    fit_temperature,
    reliability,
    with_temperature,
)


def drawn(rows: int = 4000, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities, and labels drawn by them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(rows, classes))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return chances, (chances.cumsum(axis=1) > rng.random((rows, 1))).argmax(axis=1)


def top_label_ece(chances: Any, labels: Any) -> float:
    chances = np.asarray(chances)
    return float(calibration_errors(chances.max(axis=1), chances.argmax(axis=1) == labels)[0])


def test_top_label_ece_by_hand() -> None:
    chances = [[0.95, 0.05], [0.92, 0.08], [0.3, 0.7], [0.55, 0.45]]
    # bins: .9 to 1 (mean .935, one of two right), .7 (wrong), .5 (right)
    expected = 2 / 4 * abs(0.935 - 0.5) + 1 / 4 * abs(0.7 - 0.0) + 1 / 4 * abs(0.55 - 1.0)
    assert top_label_ece(chances, [0, 1, 0, 0]) == pytest.approx(expected)


def test_ece_of_scores_by_hand() -> None:
    # bins: .1 (mean truth .3, mean score .15), .8
    assert calibration_errors([0.1, 0.2 - 1e-9, 0.8], [0.2, 0.4, 0.75]) == pytest.approx(2 / 3 * 0.15 + 1 / 3 * 0.05)
    assert calibration_errors([1.0, 0.0], [1.0, 0.0]) == 0
    assert calibration_errors([0.85, 0.95], [0.95, 0.85]) == pytest.approx(0.1), (
        "bins of .8 and .9: their errors do not cancel"
    )


def test_bins_are_tenths_and_the_ends_belong_to_the_first_and_the_last() -> None:
    percent = np.arange(100)
    assert confidence_bins((percent + 0.5) / 100).tolist() == (percent // 10).tolist()
    assert confidence_bins([0.0, 1.0]).tolist() == [0, 9]


def test_of_each_bin_with_rows_reliability_tells_its_own_means() -> None:
    before, after = ([0.07, 0.12, 0.95, 1.0], [0, 1, 1, 0]), ([0.0, 0.09, 0.41, 0.49], [1, 0, 1, 1])
    expected = [(False, 0.07, 0.0, 1), (False, 0.12, 1.0, 1), (False, 0.975, 0.5, 2)]
    expected += [(True, 0.045, 0.5, 2), (True, 0.45, 1.0, 2)]
    told = reliability(before, after)
    assert told["scaled"].tolist() == [row[0] for row in expected]
    for place, name in enumerate(["confidence", "accuracy", "rows"], start=1):
        assert told[name].tolist() == pytest.approx([row[place] for row in expected])


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_spoiled_probabilities_is_found_and_undone(temperature: float) -> None:
    chances, labels = drawn()
    spoiled = with_temperature(chances, 1 / temperature)
    fitted = fit_temperature(spoiled, labels)
    assert fitted == pytest.approx(temperature, rel=0.06)
    repaired = with_temperature(spoiled, fitted)
    np.testing.assert_allclose(repaired, chances, atol=0.03)
    assert log_loss(labels, repaired) <= log_loss(labels, spoiled) + 1e-12
    if temperature != 1.0:
        assert top_label_ece(repaired, labels) < top_label_ece(spoiled, labels) / 2


def test_a_temperature_keeps_the_order_and_sums_to_one() -> None:
    chances, _ = drawn(50)
    scaled = with_temperature(chances, 2.5)
    assert (scaled.argsort(axis=1) == chances.argsort(axis=1)).all()
    assert scaled.sum(axis=1) == pytest.approx(1)
    assert with_temperature([[0.8, 0.2]], 2.0)[0] == pytest.approx([2 / 3, 1 / 3])  # logits halved: √0.8 to √0.2
    assert with_temperature([[1.0, 0.0]], 2.0)[0] == pytest.approx([1.0, 0.0])


def test_no_rows_are_an_error() -> None:
    with pytest.raises(ValueError, match="no row to fit"):
        fit_temperature(np.zeros((0, 3)), [])
