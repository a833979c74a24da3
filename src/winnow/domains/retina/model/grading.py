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
    parts = [torch.zeros(0, 5, dtype=torch.float64)]
    for start in range(0, len(pngs), batch_size):
        images = decode(pngs[start : start + batch_size])
        parts.append(_mean([model.probabilities(model(view(images, number))) for number in range(views)]))
    return _rows(parts)


@torch.inference_mode()
def grade_features(
    model: Grader, features: Tensor, rows: Tensor, *, views: int, batch_size: int
) -> NDArray[np.float64]:
    """As `grade_photographs`, of these rows of the frozen blocks' features `(photographs, VIEWS, channels, h, w)`."""
    model.eval()
    parts = [torch.zeros(0, 5, dtype=torch.float64)]
    for start in range(0, len(rows), batch_size):
        batch = features[rows[start : start + batch_size], :views].float()
        logits = [model(batch[:, number], start=model.frozen_blocks) for number in range(views)]
        parts.append(_mean([model.probabilities(each) for each in logits]))
    return _rows(parts)


def grade_collection(
    model: Grader, pngs: Sequence[bytes], tested: NDArray[np.bool_], *, views: int, batch_size: int
) -> NDArray[np.float64]:
    """Probabilities `(rows, 5)` of a whole collection: the mean over `views` where `tested`, else the plain view's.

    From the frozen blocks' kept features where the model has any.
    """
    values = np.zeros((len(pngs), 5))
    features = frozen_features(model, pngs) if model.frozen_blocks else None
    for mask, number in ((tested, views), (~tested, 1)):
        rows = np.flatnonzero(mask).tolist()
        if features is not None:
            places = torch.tensor(rows, dtype=torch.int64)
            values[rows] = grade_features(model, features, places, views=number, batch_size=batch_size)
        else:
            values[rows] = grade_photographs(model, [pngs[row] for row in rows], views=number, batch_size=batch_size)
    return values


def _mean(of_views: list[Tensor]) -> Tensor:
    return torch.stack([probabilities.double() for probabilities in of_views]).mean(dim=0)


def _rows(parts: list[Tensor]) -> NDArray[np.float64]:
    """Probabilities that sum to 1 in double precision."""
    values = torch.cat(parts).clamp(min=0)
    return np.asarray((values / values.sum(dim=1, keepdim=True)).numpy(), dtype=np.float64)
