"""What in a photograph raised the score of its grade."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.retina.definitions import Preparation
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.source.photographs import prepared_retina
from winnow.images.codec import load_pixels
from winnow.vision.heatmaps import grad_cam
from winnow.vision.loaders import decode

BATCH = 8


def heat_maps(model: Grader, images: Sequence[bytes], grades: NDArray[np.int64]) -> "NDArray[np.uint8]":
    """Grad-CAM maps `(rows, size, size)`, 0 to 255, of the score of the grade given for each photograph.

    The score is the softmax's logit of the grade; for CORN the sum of the steps up to the grade minus the next one.
    """
    model.eval()
    size = model.preparation.image_size
    parts = [np.zeros((0, size, size), dtype=np.uint8)]
    for start in range(0, len(images), BATCH):
        batch = decode(images[start : start + BATCH]).to(model.device)
        wanted = torch.tensor(grades[start : start + BATCH], device=model.device)

        with torch.no_grad():
            pooled = model.pooled(model.scaled(batch))

        def scores(maps: Tensor, wanted: Tensor = wanted, pooled: Tensor = pooled) -> Tensor:
            last = model.pool(maps)  # what earlier maps say stays as it is
            return _scores(model, model.classify(torch.cat([pooled[:, : -last.shape[1]], last], dim=1)), wanted)

        parts.append(grad_cam(batch, model.features, scores).numpy())
    return np.concatenate(parts)


def within_retina(
    heat: "NDArray[np.uint8]", image: bytes, preparation: Preparation
) -> "tuple[NDArray[np.uint8], float]":
    """A heat map `(size, size)` without the part outside the prepared photograph's retina, and that part's share."""
    outside = ~prepared_retina(load_pixels(image), preparation)
    total = float(heat.sum())
    return np.where(outside, np.uint8(0), heat), float(heat[outside].sum()) / total if total else 0.0


def _scores(model: Grader, logits: Tensor, grades: Tensor) -> Tensor:
    """The score `(rows,)` of each row's grade."""
    if model.head_name == "softmax":
        return logits.gather(1, grades[:, None])[:, 0]
    steps = torch.arange(logits.shape[1], device=logits.device)
    sign = (steps < grades[:, None]).to(logits.dtype) - (steps == grades[:, None]).to(logits.dtype)
    return (logits * sign).sum(dim=1)
