"""What on a page lowers its score."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.tiling import cut, places, split
from winnow.domains.documents.rules.measures import measure
from winnow.images.codec import Pixels
from winnow.images.opencv import cv2
from winnow.vision.pooling import summarised

Floats = NDArray[np.float32]

SHOWN_SIDE = 700
"""Longest side of the pictures, in pixels."""


class Explained(NamedTuple):
    page: Pixels
    heat: Pixels
    """255 where the page lowers its score most; without views 0 outside of the patches that the network looked at"""


def explain(model: Assessor, page: Pixels) -> Explained:
    """The page `(height, width)` and a map of the same size, both reduced.

    Grad-CAM of the score's head (Selvaraju et al. 2017) on the last feature maps of the patches and of the pictures of
    the whole page: places are compared within each kind, and the hotter one of the two is shown.
    """
    model.eval()
    tiles = torch.from_numpy(cut(page, model.tiling))[None].to(model.device)
    measures = torch.tensor([list(measure(page).values())], dtype=torch.float32, device=model.device)
    patches, views = split(tiles, model.tiling)
    with torch.no_grad():
        embedded = model.embed(tiles)
        maps = [_features(model, patches[0]), *(_features(model, view) for view in views)]
    heats = [heat.cpu().numpy() for heat in _heats(model, embedded, measures, maps)]
    canvas = np.zeros(page.shape, dtype=np.float32)
    size = model.tiling.patch_size
    for (row, column), heat in zip(places(page, model.tiling), _scaled(heats[0]), strict=True):
        region = canvas[row : row + size, column : column + size]
        np.maximum(region, _resized(heat, size, size)[: region.shape[0], : region.shape[1]], out=region)
    for side, heat in zip(model.tiling.views, heats[1:], strict=True):
        share = side / max(page.shape)  # the page lies in the view's upper left corner
        height, width = (max(round(length * share), 1) for length in page.shape)
        shown = _resized(_scaled(heat)[0], side, side)[:height, :width]
        np.maximum(canvas, _resized(shown, *page.shape), out=canvas)
    heat = _reduced(np.rint(255 * canvas).astype(np.uint8)).astype(np.float32)
    return Explained(_reduced(page), np.rint(255 * _scaled(heat)).astype(np.uint8))


def _features(model: Assessor, images: Tensor) -> Tensor:
    maps = model.scaled(images)
    for block in model.blocks:
        maps = block(maps)
    return maps


def _heats(model: Assessor, embedded: Tensor, measures: Tensor, maps: list[Tensor]) -> list[Tensor]:
    """How much each place of the last feature maps `(images, channels, h, w)` lowers the score: `(images, h, w)`."""
    with torch.enable_grad():
        leaves = [each.detach().requires_grad_() for each in maps]
        last = torch.cat([summarised(each) for each in leaves])
        whole = torch.cat([embedded[0, :, : -last.shape[1]], last], dim=1)
        gradients = torch.autograd.grad(-model.judge(whole[None], measures).score.sum(), leaves, allow_unused=True)
    return [
        torch.relu((each.mean(dim=(2, 3), keepdim=True) * leaf.detach()).sum(dim=1))
        if each is not None
        else torch.zeros_like(leaf[:, 0].detach())
        for each, leaf in zip(gradients, leaves, strict=True)
    ]


def _scaled(heat: Floats) -> Floats:
    """With 1 as the highest value of all images."""
    return np.asarray(heat / max(float(heat.max()), 1e-12))


def _resized(heat: Floats, height: int, width: int) -> Floats:
    return np.asarray(cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR))


def _reduced(page: Pixels) -> Pixels:
    image = Image.fromarray(page)
    image.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.BOX)
    return np.asarray(image)
