"""Photographs as tensors, their eight views, and variation in training."""

import io
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from winnow.domains.retina.params import Augment
from winnow.learn.samplers import EpochSampler

VIEWS = 8
"""A photograph as it is, turned by quarters, and the same mirrored: the symmetries of a square."""

DECODED_AT_MOST = 2**31
"""Bytes of photographs that are kept decoded; of more, only what a batch needs is decoded, again in every epoch."""


def decode(pngs: Sequence[bytes]) -> Tensor:
    """Bytes `(rows, 3, size, size)` of encoded photographs."""
    if not pngs:
        return torch.zeros(0, 3, 0, 0, dtype=torch.uint8)
    first = _pixels(pngs[0])
    images = np.empty((len(pngs), 3, *first.shape[:2]), dtype=np.uint8)
    for row, png in enumerate(pngs):
        images[row] = _pixels(png).transpose(2, 0, 1)
    return torch.from_numpy(images)


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


class Photographs:
    """Encoded photographs of one size, read by row; kept decoded when all of them fit into `DECODED_AT_MOST`."""

    def __init__(self, pngs: Sequence[bytes], decoded_at_most: int = DECODED_AT_MOST) -> None:
        self._pngs = pngs
        size = _pixels(pngs[0]).size if len(pngs) else 0
        self._decoded = decode(pngs) if size * len(pngs) <= decoded_at_most else None

    def __len__(self) -> int:
        return len(self._pngs)

    def read(self, rows: Tensor) -> Tensor:
        """Bytes `(rows, 3, size, size)`."""
        if self._decoded is not None:
            return self._decoded.index_select(0, rows)
        return decode([self._pngs[row] for row in rows.tolist()])


class Features:
    """Kept features `(photographs, views, channels, h, w)`, of which `places` are read by row, where they lie."""

    def __init__(self, kept: Tensor, places: Tensor) -> None:
        self._kept = kept
        self._places = places

    def read(self, rows: Tensor, views: Tensor | int = 0) -> Tensor:
        """Floats `(rows, channels, h, w)` of one view of each row: one for all, or each its own."""
        return self._kept[self._places[rows], views].float()


class VariedLoader:
    """Rows drawn anew in every epoch, each batch as `draw` makes it of row numbers and a generator of its own."""

    def __init__(
        self,
        draw: Callable[[Tensor, np.random.Generator], Tensor],
        rows: Mapping[str, Tensor],
        sampler: EpochSampler,
    ) -> None:
        self.draw = draw
        self.rows = rows
        self.sampler = sampler

    def batch(self, seed: int, index: int) -> dict[str, Tensor]:
        chosen = torch.from_numpy(self.sampler.batch(seed, index))
        rng = np.random.default_rng((seed, self.sampler.share.rank, index))
        rows = {name: values.index_select(0, chosen) for name, values in self.rows.items()}
        return {"inputs": self.draw(chosen, rng), **rows}


class PlainLoader:
    """Photographs, or kept features of them, as they are and in their own order, for validation."""

    def __init__(self, inputs: Photographs | Features, grades: Tensor, batch_size: int) -> None:
        self.inputs = inputs
        self.grades = grades
        self.batch_size = batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.grades) / self.batch_size)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        start = index * self.batch_size
        rows = torch.arange(start, min(start + self.batch_size, len(self.grades)))
        return {"inputs": self.inputs.read(rows), "grades": self.grades[rows]}


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
