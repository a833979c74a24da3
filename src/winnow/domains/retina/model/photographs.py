"""Photographs as tensors, their eight views, and variation in training."""

import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from winnow.domains.retina.params import Augment
from winnow.learn.samplers import EpochSampler

VIEWS = 8
"""A photograph as it is, turned by quarters, and the same mirrored: the symmetries of a square."""


def decode(pngs: Sequence[bytes]) -> Tensor:
    """Bytes `(rows, 3, size, size)` of encoded photographs."""
    if not pngs:
        return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)
    first = _pixels(pngs[0])
    images = np.empty((len(pngs), *first.shape), dtype=np.uint8)
    for row, png in enumerate(pngs):
        images[row] = _pixels(png)
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def _pixels(png: bytes) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def encode(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    """PNG of a picture, grey or in colour."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def view(images: Tensor, number: int) -> Tensor:
    """View `number`, from 0, of images or square feature maps `(…, side, side)`."""
    mirrored = images.flip(-1) if number >= VIEWS // 2 else images
    return torch.rot90(mirrored, number % (VIEWS // 2), (-2, -1))


class VariedLoader:
    """Photographs in memory, varied anew in every epoch: the same for the same seed, wherever an epoch is taken up."""

    def __init__(self, images: Tensor, rows: Mapping[str, Tensor], sampler: EpochSampler, augment: Augment) -> None:
        self.images = images
        self.rows = rows
        self.sampler = sampler
        self.augment = augment

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, seed: int, skip: int = 0) -> Iterator[dict[str, Tensor]]:
        for number, indices in enumerate(self.sampler.batches(seed, skip), start=skip):
            chosen = torch.from_numpy(indices)
            rng = np.random.default_rng((seed, self.sampler.share.rank, number))
            inputs = vary(self.images.index_select(0, chosen), self.augment, rng)
            yield {"inputs": inputs, **{name: values.index_select(0, chosen) for name, values in self.rows.items()}}


class ViewLoader:
    """Kept features `(rows, views, channels, h, w)` of frozen blocks: every draw of a row takes one of its views."""

    def __init__(self, features: Tensor, rows: Mapping[str, Tensor], sampler: EpochSampler) -> None:
        self.features = features
        self.rows = rows
        self.sampler = sampler

    def __len__(self) -> int:
        return len(self.sampler)

    def epoch(self, seed: int, skip: int = 0) -> Iterator[dict[str, Tensor]]:
        for number, indices in enumerate(self.sampler.batches(seed, skip), start=skip):
            chosen = torch.from_numpy(indices)
            rng = np.random.default_rng((seed, self.sampler.share.rank, number))
            views = torch.from_numpy(rng.integers(self.features.shape[1], size=len(indices)))
            inputs = self.features[chosen, views].float()
            yield {"inputs": inputs, **{name: values.index_select(0, chosen) for name, values in self.rows.items()}}


def vary(images: Tensor, augment: Augment, rng: np.random.Generator) -> Tensor:
    """The batch as floats, each photograph flipped, turned and lit on its own."""
    if augment.flips:
        images = torch.stack(
            [
                view(image, int(number))
                for image, number in zip(images, rng.integers(VIEWS, size=len(images)), strict=True)
            ]
        )
    varied = images.float()
    if augment.rotation:
        angles = torch.from_numpy(np.deg2rad(rng.uniform(-augment.rotation, augment.rotation, len(images))))
        zero = torch.zeros_like(angles)
        rows = [torch.stack([angles.cos(), -angles.sin(), zero], 1), torch.stack([angles.sin(), angles.cos(), zero], 1)]
        grid = functional.affine_grid(torch.stack(rows, 1).float(), list(varied.shape), align_corners=False)
        varied = functional.grid_sample(varied, grid, align_corners=False)
    if augment.colour:
        factors = rng.uniform(1 - augment.colour, 1 + augment.colour, (2, len(images), 1, 1, 1)).astype(np.float32)
        brightness, contrast = torch.from_numpy(factors)
        middle = varied.mean(dim=(1, 2, 3), keepdim=True)
        varied = (((varied - middle) * contrast + middle) * brightness).clamp(0, 255)
    return varied
