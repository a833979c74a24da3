"""Batches of training pages, mixed in pairs: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019) of patches."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.documents.definitions import Tiling
from winnow.domains.documents.model.tiling import split
from winnow.domains.documents.params import Augment
from winnow.learn.samplers import EpochSampler


@dataclass(frozen=True)
class Mixing:
    """How pages are mixed."""

    augment: Augment
    tiling: Tiling

    @property
    def kinds(self) -> list[str]:
        chosen = {"mixup": self.augment.mixup_alpha, "cutmix": self.augment.cutmix_alpha}
        return [kind for kind, alpha in chosen.items() if alpha]

    def __call__(self, batch: dict[str, Tensor], rng: np.random.Generator) -> dict[str, Tensor]:
        """The batch, each page mixed with another one of it; labels are mixed in the same shares, for all three heads.

        Mixup takes the weighted mean of all inputs. Cutmix replaces whole patches, as many as the share says, and
        mixes what belongs to the whole page (views and measures).
        """
        rows = len(batch["measures"])
        if not self.kinds or rows < 2:
            return batch
        kind = self.kinds[int(rng.integers(len(self.kinds)))]
        alpha = self.augment.mixup_alpha if kind == "mixup" else self.augment.cutmix_alpha
        share = float(rng.beta(alpha, alpha))
        partner = torch.from_numpy(partners(batch, rng))
        count = self.tiling.patches
        taken = np.zeros(count, dtype=bool)
        if kind == "cutmix":
            taken[rng.permutation(count)[: round((1 - share) * count)]] = True
            share = 1 - float(taken.mean())

        def mean(values: Tensor) -> Tensor:
            return share * values + (1 - share) * values[partner]

        mixed = {name: values if name in UNMIXED else mean(values) for name, values in batch.items()}
        if kind == "cutmix":
            mixed["inputs"] = self._cutmix(batch["inputs"].float(), mixed["inputs"], partner, torch.from_numpy(taken))
        return mixed

    def _cutmix(self, inputs: Tensor, mean: Tensor, partner: Tensor, taken: Tensor) -> Tensor:
        count = self.tiling.patches
        if inputs.ndim == 3:  # embedded parts
            patches = torch.where(taken[None, :, None], inputs[partner, :count], inputs[:, :count])
            return torch.cat([patches, mean[:, count:]], dim=1)
        own, _ = split(inputs, self.tiling)
        patches = torch.where(taken[None, :, None, None], own[partner], own).reshape(len(inputs), -1)
        return torch.cat([patches, mean[:, patches.shape[1] :]], dim=1)


UNMIXED = ("ids",)
PARTLY_KNOWN = ("scores", "readabilities", "legibilities", "severities", "flags")
"""Targets that are NaN where a page's source does not tell them."""


def partners(batch: dict[str, Tensor], rng: np.random.Generator) -> NDArray[np.int64]:
    """The row that each row is mixed with, `(rows,)`: one of which the same is known, since NaN mixed is NaN.

    Otherwise few rows that an OCR has read would teach anything beside many that it has not.
    """
    known = [batch[name].reshape(len(batch[name]), -1).isnan() for name in PARTLY_KNOWN if name in batch]
    _, kind = np.unique(torch.cat(known, dim=1).numpy(), axis=0, return_inverse=True)
    found = np.empty(len(kind), dtype=np.int64)
    for number in range(kind.max() + 1):
        rows = np.flatnonzero(kind == number)
        found[rows] = rows[rng.permutation(len(rows))]
    return found


class MixedLoader:
    """Batches drawn again in every epoch and mixed; `read` gives the inputs of row numbers."""

    def __init__(
        self, read: Callable[[Tensor], Tensor], targets: dict[str, Tensor], sampler: EpochSampler, mixing: Mixing
    ) -> None:
        self.read = read
        self.targets = targets
        self.sampler = sampler
        self.mixing = mixing

    def batch(self, seed: int, index: int) -> dict[str, Any]:
        rows = torch.from_numpy(self.sampler.batch(seed, index))
        rng = np.random.default_rng((seed, self.sampler.share.rank, index))
        batch = {name: values.index_select(0, rows) for name, values in self.targets.items()}
        return self.mixing({"inputs": self.read(rows), **batch}, rng)
