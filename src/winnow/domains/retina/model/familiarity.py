"""Whether a photograph is like those that the grader was trained on; of any other its grade says nothing.

A picture is described by the mean and the standard deviation of the maps after every block, on the scale of the
training photographs, and compared with its nearest ones among them (deep nearest neighbours, Sun et al. 2022, over
statistics of all layers, as Lee et al. 2018 do with Mahalanobis' distance). Noise, pages and scenes differ in early
maps already, which a grader that never saw any does not use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from winnow.domains.retina.model.network import Grader
from winnow.images.store import Images
from winnow.learn.folder import finite, model_files
from winnow.pipeline.files import atomic_path
from winnow.vision.loaders import decode
from winnow.vision.pooling import summarised

FILE = "familiar.safetensors"
NEIGHBOURS = 5
MOST = 1000
"""Photographs of training that are kept, and of validation that are measured: evenly spaced ones of more."""
MARGIN = 1.5
"""By how much the limit lies beyond what validation says, whose photographs come from the cameras of training: other
fundus photographs are a little darker or sharper, and anything else is several times as far."""
BATCH = 64


@dataclass(frozen=True)
class Familiarity:
    """The training photographs that others are compared with."""

    known: Tensor
    """(photographs, width): their statistics"""
    limit: float
    """the distance from which a photograph is not like them"""

    def distances(self, model: Grader, images: Sequence[bytes]) -> NDArray[np.float64]:
        """The mean distance of encoded photographs `(rows,)` from their nearest known ones, 1 at the limit."""
        return self._raw(statistics(model, images)) / self.limit

    def _raw(self, found: Tensor) -> NDArray[np.float64]:
        known = self.known.double()
        center, scale = known.mean(dim=0), known.std(dim=0, correction=0).clamp_min(1e-6)
        if not len(found):
            return np.zeros(0)
        apart = torch.cdist((found.double() - center) / scale, (known - center) / scale)
        nearest = apart.topk(min(NEIGHBOURS, len(known)), largest=False).values
        distance: NDArray[np.float64] = (nearest.mean(dim=1) / known.shape[1] ** 0.5).numpy()
        return distance


def fit(
    model: Grader,
    images: Images,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    grades: NDArray[np.int64],
    share: float,
) -> Familiarity:
    """What training photographs look like; the limit is MARGIN beyond `share` of those of validation, in every grade.

    By grade, because severe cases are rare and differ from one another: they must not be refused for that. `grades` are
    those of all `images`, `train` and `val` are rows of them.
    """
    known, measured = statistics(model, images.take(_spaced(train))), _spaced(val)
    distance = Familiarity(known, 1.0)._raw(statistics(model, images.take(measured)))
    limits = [
        np.quantile(distance[grades[measured] == grade], share, method="higher") for grade in set(grades[measured])
    ]
    return Familiarity(known, float(f"{MARGIN * max(limits):.6g}"))


@torch.inference_mode()
def statistics(model: Grader, images: Sequence[bytes]) -> Tensor:
    """Means and standard deviations of the maps after each block, `(rows, 2 × channels of all blocks)`."""
    model.eval()
    parts = []
    for start in range(0, len(images), BATCH):
        maps, found = model.scaled(decode(images[start : start + BATCH]).to(model.device)), []
        for block in model.blocks:
            maps = block(maps)
            found.append(summarised(maps).cpu())
        parts.append(torch.cat(found, dim=1))
    return torch.cat(parts) if parts else torch.zeros(0, 1)


def save(folder: Path, found: Familiarity) -> None:
    """Write it into a model's folder."""
    with atomic_path(folder / FILE) as scratch:
        limit = torch.tensor(found.limit, dtype=torch.float64)
        save_file({"known": found.known.contiguous(), "limit": limit}, scratch)


def load(folder: Path) -> Familiarity:
    """That of the model in a folder; raises TableError when it is missing, damaged or of another version."""
    with model_files(folder / FILE, "retina"):
        stored = load_file(folder / FILE)
        finite({name: value.numpy() for name, value in stored.items()})
        return Familiarity(stored["known"], float(stored["limit"]))


def _spaced(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(np.int64)]
