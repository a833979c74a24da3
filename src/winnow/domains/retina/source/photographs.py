"""From the bytes of an image file to the square photograph that everything after ingest works on, and its measures."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from winnow.curate.perceptual import perceptual_hash

Bytes = NDArray[np.uint8]

DARK_SHARE = 0.12
"""A pixel brighter than this share of the photograph's bright parts (95th percentile) is retina."""
DARKEST = 8
"""… and brighter than this, of 255: camera noise around the retina."""
FILLED = 0.03
"""Rows and columns with a smaller share of retina lie outside its box."""


class UnreadableError(Exception):
    """Why a file gives no photograph, in words for the table of rejected rows."""


@dataclass(frozen=True)
class Prepared:
    """A photograph as it is stored, and what was measured of it."""

    png: bytes
    measures: dict[str, float | int | str]


def prepare(content: bytes, *, size: int, crop: bool, contrast: bool) -> Prepared:
    """Decode, crop to the retina, resize to `size` × `size` and, when asked to, lift the local contrast.

    Raises UnreadableError with a reason a person can act on.
    """
    photograph, (width, height) = decode(content, at_least=2 * size)
    mask = retina_mask(photograph)
    square = crop_to_retina(photograph, mask) if crop and mask.any() else pad_to_square(photograph)
    resized = np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BOX, reducing_gap=None))
    if square.shape[0] < 2 * size:
        resized = np.asarray(Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC))
    measures: dict[str, float | int | str] = {"width": width, "height": height, **measure(resized)}
    return Prepared(encode(ben_graham(resized) if contrast else resized), measures)


def decode(content: bytes, *, at_least: int) -> tuple[Bytes, tuple[int, int]]:
    """RGB `(height, width, 3)`, and the file's own width and height.

    A JPEG much larger than needed is decoded at a half, a quarter or an eighth. Raises UnreadableError.
    """
    if not content:
        raise UnreadableError("the file is empty")
    try:
        with Image.open(io.BytesIO(content)) as image:
            size = image.size
            image.draft("RGB", (at_least, at_least))
            pixels = np.asarray(image.convert("RGB"))
    except UnidentifiedImageError:
        raise UnreadableError("not an image file") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableError(f"corrupt image: {error}") from None
    if min(size) < 8:
        raise UnreadableError(f"too small: {size[0]} × {size[1]} pixels")
    return pixels, size


def encode(photograph: Bytes) -> bytes:
    """PNG, the same bytes for the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(photograph).save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def retina_mask(photograph: Bytes) -> NDArray[np.bool_]:
    """Pixels that show retina, not the black around it; nothing when the photograph is black or all alike."""
    bright = photograph.max(axis=2)
    top = float(np.percentile(bright, 95))
    if top <= 2 * DARKEST or float(bright.max()) - float(bright.min()) < DARKEST:
        return np.zeros(bright.shape, dtype=bool)
    return np.asarray(bright > max(DARKEST, DARK_SHARE * top), dtype=np.bool_)


def crop_to_retina(photograph: Bytes, mask: NDArray[np.bool_]) -> Bytes:
    """The retina's box, padded with black to a square around it."""
    rows = np.flatnonzero(mask.mean(axis=1) > FILLED)
    columns = np.flatnonzero(mask.mean(axis=0) > FILLED)
    if len(rows) < 8 or len(columns) < 8:
        return pad_to_square(photograph)
    return pad_to_square(photograph[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def pad_to_square(photograph: Bytes) -> Bytes:
    height, width = photograph.shape[:2]
    side = max(height, width)
    if height == width:
        return photograph
    square = np.zeros((side, side, 3), dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = photograph
    return square


def ben_graham(photograph: Bytes) -> Bytes:
    """What differs from the surroundings, on middle grey, within 98% of the radius.

    Graham's preparation for the Kaggle competition of 2015: 4 × (image - Gaussian blur of radius / 30) + 128.
    """
    size = photograph.shape[0]
    image = photograph.astype(np.float32)
    blurred = np.stack([ndimage.gaussian_filter(image[..., channel], size / 60) for channel in range(3)], axis=2)
    lifted = np.clip(4 * (image - blurred) + 128, 0, 255).astype(np.uint8)
    y, x = np.ogrid[:size, :size]
    outside = (y - (size - 1) / 2) ** 2 + (x - (size - 1) / 2) ** 2 > (0.98 * size / 2) ** 2
    lifted[outside | ~ndimage.binary_fill_holes(retina_mask(photograph))] = 128
    return np.asarray(lifted, dtype=np.uint8)


def measure(photograph: Bytes) -> dict[str, float | str]:
    """Brightness, sharpness, share of retina and mean colours of a square photograph, and its perceptual hash.

    Sharpness is the variance of the Laplacian of the green channel over the inner retina, in units of its mean
    brightness squared, so that a dim photograph is not taken for a blurred one.
    """
    mask = retina_mask(photograph)
    inside = ndimage.binary_erosion(mask, iterations=max(1, photograph.shape[0] // 32)) if mask.any() else mask
    where = inside if inside.any() else np.ones_like(mask)
    green = photograph[..., 1].astype(np.float32)
    colours = photograph[where].mean(axis=0)
    edges = ndimage.laplace(green)[where]
    return {
        "brightness": float(photograph[where].mean()),
        "sharpness": float(1000 * edges.var() / max(float(green[where].mean()), 1.0) ** 2),
        "retina_share": float(mask.mean()),
        **{name: float(colours[index]) for index, name in enumerate(("red", "green", "blue"))},
        "perceptual_hash": perceptual_hash(flattened(green, mask)),
    }


def flattened(green: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Vessels and lesions as shares of the light around them; 0 near the rim and outside.

    Without it all retinas hash alike: the bright disc outweighs what tells them apart.
    """
    size = green.shape[0]
    reach = size / 8
    share = ndimage.gaussian_filter(mask.astype(np.float32), reach)
    light = ndimage.gaussian_filter(green * mask, reach) / np.maximum(share, 1e-3)
    y, x = np.ogrid[:size, :size]
    inner = mask & ((x - (size - 1) / 2) ** 2 + (y - (size - 1) / 2) ** 2 < (0.46 * size) ** 2)
    return np.where(inner, np.clip(green - light, -60, 60) / np.maximum(light, 16), 0).astype(np.float32)
