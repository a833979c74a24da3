"""Grading photographs with a trained model, on the device that the model is on."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.retina.model.network import Grader
from winnow.images.store import Images
from winnow.vision.features import frozen_features
from winnow.vision.loaders import decode
from winnow.vision.views import view


@torch.inference_mode()
def grade_photographs(model: Grader, images: Sequence[bytes], *, views: int, batch_size: int) -> NDArray[np.float64]:
    """Probabilities `(rows, 5)` of encoded photographs, the mean over the first `views` views of each."""
    model.eval()
    parts = [torch.zeros(0, 5, dtype=torch.float64)]
    for start in range(0, len(images), batch_size):
        batch = decode(images[start : start + batch_size]).to(model.device)
        parts.append(_mean([model.probabilities(model(view(batch, number))) for number in range(views)]))
    return _rows(parts)


@torch.inference_mode()
def grade_features(
    model: Grader, features: Tensor, rows: Tensor, *, views: int, batch_size: int
) -> NDArray[np.float64]:
    """As `grade_photographs`, of these rows of the frozen blocks' features `(photographs, VIEWS, channels, h, w)`."""
    model.eval()
    parts = [torch.zeros(0, 5, dtype=torch.float64)]
    for start in range(0, len(rows), batch_size):
        batch = features[rows[start : start + batch_size], :views].to(model.device).float()
        logits = [model(batch[:, number], start=model.frozen_blocks) for number in range(views)]
        parts.append(_mean([model.probabilities(each) for each in logits]))
    return _rows(parts)


def grade_collection(
    model: Grader, images: Images, tested: NDArray[np.bool_], *, batch_size: int
) -> NDArray[np.float64]:
    """Probabilities `(rows, 5)` of a whole collection: the mean over the model's views where `tested`, else of one.

    From the frozen blocks' kept features where the model has any.
    """
    values = np.zeros((len(images), 5))
    features = frozen_features(model, model.frozen_blocks, images) if model.frozen_blocks else None
    for mask, views in ((tested, model.views), (~tested, 1)):
        rows = np.flatnonzero(mask)
        if features is not None:
            places = torch.from_numpy(rows)
            values[rows] = grade_features(model, features, places, views=views, batch_size=batch_size)
        else:
            values[rows] = grade_photographs(model, images.take(rows), views=views, batch_size=batch_size)
    return values


def _mean(of_views: list[Tensor]) -> Tensor:
    return torch.stack([probabilities.cpu().double() for probabilities in of_views]).mean(dim=0)


def _rows(parts: list[Tensor]) -> NDArray[np.float64]:
    """Probabilities that sum to 1 in double precision."""
    values = torch.cat(parts).clamp(min=0)
    return np.asarray((values / values.sum(dim=1, keepdim=True)).numpy(), dtype=np.float64)
