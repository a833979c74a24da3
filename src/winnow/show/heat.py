"""A heat map laid over the image that it explains."""

import numpy as np
from matplotlib import colormaps
from PIL import Image

from winnow.images.codec import Pixels, load_pixels

STRENGTH = 0.55
"""Opacity of the heat map at its maximum."""


def overlay(image: bytes, heat: bytes) -> Pixels:
    """The image `(height, width, 3)` under its heat map, a grey image of the same or a smaller size; both encoded."""
    pixels = load_pixels(image)
    spread = Image.fromarray(load_pixels(heat, "L")).resize(pixels.shape[1::-1], Image.Resampling.BILINEAR)
    strength = np.asarray(spread).astype(np.float32)[..., None] / 255
    colour = colormaps["inferno"](strength[..., 0])[..., :3] * 255
    cover = STRENGTH * strength
    return np.asarray((pixels * (1 - cover) + colour * cover).clip(0, 255), dtype=np.uint8)
