"""Random augmentation of training images."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from winnow.vision.views import VIEWS, view


def vary(images: Tensor, rng: np.random.Generator, *, flips: bool, rotation: float, colour: float) -> Tensor:
    """Images `(rows, 3, side, side)` of bytes as floats 0 to 255, each one varied on its own.

    `flips` takes one of the eight views; `rotation` turns by up to that many degrees, with black corners; `colour`
    scales brightness and contrast by up to that share.
    """
    if flips:
        numbers = rng.integers(VIEWS, size=len(images)).tolist()
        images = torch.stack([view(image, number) for image, number in zip(images, numbers, strict=True)])
    varied = images.float()
    if rotation:
        angles = torch.from_numpy(np.deg2rad(rng.uniform(-rotation, rotation, len(images))))
        zero = torch.zeros_like(angles)
        rows = [torch.stack([angles.cos(), -angles.sin(), zero], 1), torch.stack([angles.sin(), angles.cos(), zero], 1)]
        theta = torch.stack(rows, 1).float().to(images.device)
        grid = functional.affine_grid(theta, list(varied.shape), align_corners=False)
        varied = functional.grid_sample(varied, grid, align_corners=False)
    if colour:
        factors = rng.uniform(1 - colour, 1 + colour, (2, len(images), 1, 1, 1)).astype(np.float32)
        brightness, contrast = torch.from_numpy(factors).to(images.device)
        middle = varied.mean(dim=(1, 2, 3), keepdim=True)
        varied = (((varied - middle) * contrast + middle) * brightness).clamp(0, 255)
    return varied
