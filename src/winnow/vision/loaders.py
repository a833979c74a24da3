"""Batches of images for training and validation: decoded from a store, or of kept features."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from winnow.images.codec import load_pixels
from winnow.learn.samplers import EpochSampler

DECODED_AT_MOST = 2**28
"""Bytes of images that are kept decoded; of more, only what a batch needs is decoded, again in every epoch."""


def decode(encoded: Sequence[bytes]) -> Tensor:
    """Bytes `(rows, 3, height, width)` of encoded images of one size; for none `(0, 3, 0, 0)`."""
    images = np.zeros((0, 3, 0, 0), dtype=np.uint8)
    for row, content in enumerate(encoded):
        pixels = load_pixels(content)
        if row == 0:
            images = np.empty((len(encoded), 3, *pixels.shape[:2]), dtype=np.uint8)
        images[row] = pixels.transpose(2, 0, 1)
    return torch.from_numpy(images)


class Inputs(Protocol):
    """What a network's inputs are read from."""

    def read(self, rows: Tensor) -> Tensor:
        """The inputs `(len(rows), …)` of these rows."""


class EncodedImages:
    """Encoded images of one size, read by row; kept decoded when all of them fit into `decoded_at_most` bytes."""

    def __init__(self, encoded: Sequence[bytes], decoded_at_most: int = DECODED_AT_MOST) -> None:
        self._encoded = encoded
        size = load_pixels(encoded[0]).size if len(encoded) else 0
        self._decoded = decode(encoded) if size * len(encoded) <= decoded_at_most else None

    def read(self, rows: Tensor) -> Tensor:
        """Bytes `(rows, 3, size, size)`."""
        if self._decoded is not None:
            return self._decoded.index_select(0, rows)
        return decode([self._encoded[row] for row in rows.tolist()])


class KeptFeatures:
    """Kept features `(images, views, channels, h, w)`, of which `places` are read by row, from their file."""

    def __init__(self, kept: Tensor, places: Tensor) -> None:
        self._kept = kept
        self._places = places

    def read(self, rows: Tensor, views: Tensor | int = 0) -> Tensor:
        """Floats `(rows, channels, h, w)` of one view of each row: one for all, or each its own."""
        return self._kept[self._places[rows], views].float()


class VariedLoader:
    """Batches of rows drawn again in every epoch; `draw` makes each from row numbers and its own generator."""

    def __init__(
        self,
        draw: Callable[[Tensor, np.random.Generator], Tensor],
        targets: Mapping[str, Tensor],
        sampler: EpochSampler,
    ) -> None:
        self.draw = draw
        self.targets = targets
        self.sampler = sampler

    def batch(self, seed: int, index: int) -> dict[str, Tensor]:
        rows = torch.from_numpy(self.sampler.batch(seed, index))
        rng = np.random.default_rng((seed, self.sampler.share.rank, index))
        targets = {name: values.index_select(0, rows) for name, values in self.targets.items()}
        return {"inputs": self.draw(rows, rng), **targets}


class PlainLoader:
    """All rows, unchanged and in their own order, for validation."""

    def __init__(self, inputs: Inputs, targets: Mapping[str, Tensor], batch_size: int) -> None:
        self.inputs = inputs
        self.targets = targets
        self.batch_size = batch_size
        self.rows = len(next(iter(targets.values())))

    def __len__(self) -> int:
        return math.ceil(self.rows / self.batch_size)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        rows = torch.arange(index * self.batch_size, min((index + 1) * self.batch_size, self.rows))
        return {"inputs": self.inputs.read(rows), **{name: values[rows] for name, values in self.targets.items()}}
