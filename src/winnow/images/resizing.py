"""Images brought to one size."""

import numpy as np
from PIL import Image

from winnow.images.codec import MAX_PIXELS, ImageError, Pixels


def pad_to_square(pixels: Pixels) -> Pixels:
    """`(height, width, 3)` with black on both sides of the shorter direction.

    Raises ImageError for an image so narrow that a few kilobytes of file would become gigabytes of black.
    """
    height, width = pixels.shape[:2]
    if height == width:
        return pixels
    side = max(height, width)
    if side**2 > MAX_PIXELS:
        raise ImageError(f"too narrow: {width} × {height} pixels, and a square of at most {MAX_PIXELS:,} is made of it")
    square = np.zeros((side, side, 3), dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


def resize_square(pixels: Pixels, size: int) -> Pixels:
    """A square image at `size` × `size`: box-averaged when it shrinks to a half or less, else bicubic."""
    method = Image.Resampling.BICUBIC if pixels.shape[0] < 2 * size else Image.Resampling.BOX
    return np.asarray(Image.fromarray(pixels).resize((size, size), method))
