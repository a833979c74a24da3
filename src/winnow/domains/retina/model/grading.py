"""Grading photographs with a trained model, on the device that the model is on."""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.retina.model.network import Grader
from winnow.images.store import Images
from winnow.learn.checkpoints import load_weights
from winnow.vision.features import frozen_features
from winnow.vision.loaders import decode
from winnow.vision.views import view

BEFORE_REFIT = "before_refit.safetensors"
"""In a model's folder: the weights before a last phase that trained on validation photographs too."""


def before_refit(model: Grader, folder: Path) -> Grader:
    """The network of a model's folder as it was while validation photographs were new to it; mostly `model` itself."""
    if not (folder / BEFORE_REFIT).exists():
        return model
    earlier = deepcopy(model)
    load_weights(earlier, folder / BEFORE_REFIT)
    return earlier


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


def grade_collection(model: Grader, images: Images, rows: NDArray[np.int64], *, batch_size: int) -> NDArray[np.float64]:
    """Probabilities `(len(rows), 5)` of these rows of a collection, the mean over the model's views.

    From the frozen blocks' kept features where the model has any.
    """
    if not model.frozen_blocks:
        return grade_photographs(model, images.take(rows), views=model.views, batch_size=batch_size)
    features = frozen_features(model, images)
    return grade_features(model, features, torch.from_numpy(rows), views=model.views, batch_size=batch_size)


def _mean(of_views: list[Tensor]) -> Tensor:
    return torch.stack([probabilities.cpu().double() for probabilities in of_views]).mean(dim=0)


def _rows(parts: list[Tensor]) -> NDArray[np.float64]:
    """Probabilities that sum to 1 in double precision."""
    values = torch.cat(parts).clamp(min=0)
    return np.asarray((values / values.sum(dim=1, keepdim=True)).numpy(), dtype=np.float64)
