"""What on a page lowers its score."""

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.tiling import cut, places, split
from winnow.domains.documents.rules.measures import measure
from winnow.images.codec import Pixels
from winnow.vision.heatmaps import grad_cam
from winnow.vision.pooling import summarised

SHOWN_SIDE = 700
"""Longest side of the pictures, in pixels."""


class Explained(NamedTuple):
    page: Pixels
    heat: Pixels
    """255 where the page lowers its score most; 0 outside of the patches that the network looked at"""


def explain(model: Assessor, page: Pixels) -> Explained:
    """The page `(height, width)` and a map of the same size, both reduced.

    Grad-CAM of the score's head over all patches of the page, on the backbone's last feature maps.
    """
    model.eval()
    tiles = torch.from_numpy(cut(page, model.tiling))[None].to(model.device)
    measures = torch.tensor([list(measure(page).values())], dtype=torch.float32, device=model.device)
    with torch.no_grad():
        embedded = model.embed(tiles)
    patches = split(tiles, model.tiling)[0][0]
    count = len(patches)

    def features(images: Tensor) -> Tensor:
        maps = model.scaled(images)
        for block in model.blocks:
            maps = block(maps)
        return maps

    def damage(maps: Tensor) -> Tensor:
        last = summarised(maps)
        whole = torch.cat([embedded[0, :count, : -last.shape[1]], last], dim=1)
        changed = torch.cat([whole, embedded[0, count:]])
        return -model.judge(changed[None], measures).score

    heat = grad_cam(patches, features, damage, together=True).numpy()
    canvas = np.zeros(page.shape, dtype=np.uint8)
    for (row, column), values in zip(places(page, model.tiling), heat, strict=True):
        region = canvas[row : row + len(values), column : column + len(values)]
        np.maximum(region, values[: region.shape[0], : region.shape[1]], out=region)
    return Explained(_reduced(page), _reduced(canvas))


def _reduced(page: Pixels) -> Pixels:
    image = Image.fromarray(page)
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BOX)
    return np.asarray(image)
