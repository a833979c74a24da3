"""Photographs of two patients that may show one eye: a patient under two names would be in two splits unnoticed.

The filter compares photographs by their hash, which a small turn already changes. Here they are compared where they are
in the network: the maps after its first block on a grid, each channel without its mean, so that light and colour count
little, and without what all photographs have in common. Two photographs of one eye then point the same way.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from winnow.domains.retina.model.network import Grader
from winnow.vision.loaders import decode

GRID = 8
BATCH = 64
BLOCK = 512
"""Photographs compared with all others at a time."""


@torch.inference_mode()
def arrangements(model: Grader, images: Sequence[bytes]) -> Tensor:
    """Where in the photographs the first block sees what, `(rows, channels × GRID²)` of length 1."""
    model.eval()
    parts = []
    for start in range(0, len(images), BATCH):
        maps = model.features(decode(images[start : start + BATCH]).to(model.device), stop=1)
        parts.append((grid := functional.adaptive_avg_pool2d(maps, GRID)) - grid.mean(dim=(2, 3), keepdim=True))
    found = torch.cat(parts).flatten(1).double().cpu()
    return functional.normalize(found - found.mean(dim=0), dim=1)


def alike_patients(arranged: Tensor, rows: pd.DataFrame, limit: float) -> pd.DataFrame:
    """The columns of `Alike`: pairs of photographs of different patients whose cosine is at least `limit`.

    `rows` has image_id, patient and split of the `arranged` photographs.
    """
    patient = rows["patient"].astype("category").cat.codes.to_numpy()
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    for start in range(0, len(rows), BLOCK):
        cosine = (arranged[start : start + BLOCK] @ arranged.T).numpy()
        one, other = np.nonzero(cosine >= limit)
        new = (other > one + start) & (patient[one + start] != patient[other])
        pairs.append((one[new] + start, other[new], cosine[one[new], other[new]]))
    first, second, similarity = (np.concatenate(part) for part in zip(*pairs, strict=True)) if pairs else ([], [], [])
    told = {
        f"{name}{end}": rows[name].to_numpy()[np.asarray(place, dtype=np.int64)]
        for end, place in (("", first), ("_other", second))
        for name in ("image_id", "patient", "split")
    }
    kinds = dict.fromkeys(told, "str") | {"similarity": "float64"}
    return pd.DataFrame({**told, "similarity": similarity}).astype(kinds).sort_values(["image_id", "image_id_other"])
