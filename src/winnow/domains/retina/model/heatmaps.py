"""What in a photograph speaks for its grade: Grad-CAM (Selvaraju et al. 2017)."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.model.photographs import decode

BATCH = 8


def heat_maps(model: Grader, pngs: Sequence[bytes], grades: NDArray[np.int64]) -> "NDArray[np.uint8]":
    """Maps `(rows, size, size)`, 0 to 255, of what raised each photograph's score for the grade given.

    The score is the softmax's logit of the grade; for CORN the sum of the steps up to the grade minus the next one.
    The last feature maps, weighed by the mean gradient of the score, summed, what speaks against it cut off.
    """
    model.eval()
    parts = [np.zeros((0, model.image_size, model.image_size), dtype=np.uint8)]
    for start in range(0, len(pngs), BATCH):
        images = decode(pngs[start : start + BATCH])
        wanted = torch.tensor(grades[start : start + BATCH])
        with torch.enable_grad():
            maps = model.features(images).detach().requires_grad_()
            (gradient,) = torch.autograd.grad(_scores(model, model.classify(maps), wanted).sum(), maps)
        weights = gradient.mean(dim=(2, 3), keepdim=True)
        heat = torch.relu((weights * maps.detach()).sum(dim=1, keepdim=True))
        heat = functional.interpolate(heat, size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
        top = heat.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
        parts.append((heat / top * 255).round().to(torch.uint8).numpy())
    return np.concatenate(parts)


def _scores(model: Grader, logits: Tensor, grades: Tensor) -> Tensor:
    """The score `(rows,)` of each row's grade."""
    if model.head_name == "softmax":
        return logits.gather(1, grades[:, None])[:, 0]
    steps = torch.arange(logits.shape[1])
    sign = (steps < grades[:, None]).to(logits.dtype) - (steps == grades[:, None]).to(logits.dtype)
    return (logits * sign).sum(dim=1)
