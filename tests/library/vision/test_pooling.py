"""Vectors brought to one scale."""

import pytest
import torch

from winnow.vision.pooling import Standardise


def test_inputs_are_in_standard_deviations_and_cut_at_six() -> None:
    rows = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([3.0, 0.5]) + 7
    scale = Standardise(2)
    scale.fit(rows)
    mean, deviation = rows.mean(dim=0), rows.std(dim=0)
    given = torch.stack([mean + number * deviation for number in (-9, -5, 0, 5, 9)])
    for column in scale(given).T:
        assert column.tolist() == pytest.approx([-6, -5, 0, 5, 6], abs=1e-4)
