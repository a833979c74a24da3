"""Grading photographs with a trained model."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.retina.model.features import frozen_features
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.model.photographs import decode, view


@torch.inference_mode()
def grade_photographs(model: Grader, pngs: Sequence[bytes], *, views: int, batch_size: int) -> NDArray[np.float64]:
    """Probabilities `(rows, 5)`, the mean over the first `views` views of each photograph."""
    model.eval()
    parts = []
    for start in range(0, len(pngs), batch_size):
        images = decode(pngs[start : start + batch_size])
        parts.append(_mean([model.probabilities(model(view(images, number))) for number in range(views)]))
    return _rows(parts)


@torch.inference_mode()
def grade_collection(model: Grader, pngs: Sequence[bytes], *, views: int, batch_size: int) -> NDArray[np.float64]:
    """As `grade_photographs`, but from the frozen blocks' kept features where the model has any."""
    if not model.frozen_blocks:
        return grade_photographs(model, pngs, views=views, batch_size=batch_size)
    model.eval()
    features = frozen_features(model, pngs)
    parts = []
    for start in range(0, len(pngs), batch_size):
        batch = features[start : start + batch_size, :views].float()
        logits = [model(batch[:, number], start=model.frozen_blocks) for number in range(views)]
        parts.append(_mean([model.probabilities(each) for each in logits]))
    return _rows(parts)


def _mean(of_views: list[Tensor]) -> Tensor:
    return torch.stack([probabilities.double() for probabilities in of_views]).mean(dim=0)


def _rows(parts: list[Tensor]) -> NDArray[np.float64]:
    """Probabilities that sum to 1 in double precision."""
    values = torch.cat(parts).clamp(min=0)
    return np.asarray((values / values.sum(dim=1, keepdim=True)).numpy(), dtype=np.float64)
