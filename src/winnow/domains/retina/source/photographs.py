"""From the bytes of an image file to the square photograph that everything after ingest uses, and its measures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from winnow.domains.retina.definitions import Preparation
from winnow.images.codec import Pixels, decode, encode_png
from winnow.images.perceptual import perceptual_hash
from winnow.images.quality import brightness, mean_colours, relative_sharpness, without_lighting
from winnow.images.resizing import pad_to_square, resize_square

DARK_SHARE = 0.12
"""A pixel brighter than this share of the photograph's bright parts (95th percentile) is retina."""
DARKEST = 8
"""… and brighter than this, of 255: camera noise around the retina."""
SHARPNESS_SIDE = 128
"""Pixels a side at which sharpness is measured, whatever `image_size`: small enough for noise and JPEG's blocks to
be averaged out, large enough for a blur of a fiftieth of the side to show."""
FILLED = 0.03
"""Rows and columns with a smaller share of retina lie outside its box."""

RIM = 0.05
"""Share of the side, a tenth of the radius, by which Ben Graham's contrast stays within the retina."""
GREY = 128
"""What it leaves outside."""


@dataclass(frozen=True)
class Prepared:
    """A photograph as it is stored, and its measures."""

    png: bytes
    measures: dict[str, float | int | str]


def prepare(content: bytes, preparation: Preparation) -> Prepared:
    """Decode, crop to the retina, resize to a square and, if wanted, raise the local contrast.

    Raises ImageError with a reason a person can act on.
    """
    size = preparation.image_size
    photograph, (width, height) = decode(content, at_least=2 * max(size, SHARPNESS_SIDE))
    mask = retina_mask(photograph)
    square = crop_to_retina(photograph, mask) if preparation.crop and mask.any() else pad_to_square(photograph)
    resized = resize_square(square, size)
    measures: dict[str, float | int | str] = {
        "width": width,
        "height": height,
        "sharpness": sharpness(resize_square(square, SHARPNESS_SIDE)),
        **measure(resized),
    }
    return Prepared(encode_png(ben_graham(resized) if preparation.contrast else resized), measures)


def retina_mask(photograph: Pixels) -> NDArray[np.bool_]:
    """Pixels that show retina, not the black around it; none when the photograph is black or uniform."""
    bright = photograph.max(axis=2)
    top = float(np.percentile(bright, 95))
    if top <= 2 * DARKEST or float(bright.max()) - float(bright.min()) < DARKEST:
        return np.zeros(bright.shape, dtype=bool)
    return np.asarray(bright > max(DARKEST, DARK_SHARE * top), dtype=np.bool_)


def crop_to_retina(photograph: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    """The retina's box, padded with black to a square around it."""
    rows = np.flatnonzero(mask.mean(axis=1) > FILLED)
    columns = np.flatnonzero(mask.mean(axis=0) > FILLED)
    if len(rows) < 8 or len(columns) < 8:
        return pad_to_square(photograph)
    return pad_to_square(photograph[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def ben_graham(photograph: Pixels) -> Pixels:
    """The difference from the surroundings, on middle grey, within 90% of the radius: the edge against the black around
    it would be a bright rim.

    Graham's preparation for the Kaggle competition of 2015: 4 × (image - Gaussian blur of radius / 30) + 128.
    """
    size = photograph.shape[0]
    image = photograph.astype(np.float32)
    blurred = np.stack([ndimage.gaussian_filter(image[..., channel], size / 60) for channel in range(3)], axis=2)
    lifted = np.clip(4 * (image - blurred) + 128, 0, 255).astype(np.uint8)
    retina = np.pad(ndimage.binary_fill_holes(retina_mask(photograph)), 1)  # it may reach the photograph's edge
    lifted[ndimage.distance_transform_edt(retina)[1:-1, 1:-1] < RIM * size] = GREY
    return np.asarray(lifted, dtype=np.uint8)


def prepared_retina(photograph: Pixels, preparation: Preparation) -> NDArray[np.bool_]:
    """Pixels of a prepared photograph that show retina, its dark parts included."""
    shown = (photograph != GREY).any(axis=2) if preparation.contrast else retina_mask(photograph)
    return np.asarray(ndimage.binary_fill_holes(shown), dtype=np.bool_)


def measure(photograph: Pixels) -> dict[str, float | str]:
    """Brightness, share of retina and mean colours of a square photograph, and its perceptual hash.

    Light and colour are those of the inner retina. The hash is that of vessels and lesions with the lighting
    removed: otherwise all retinas have similar hashes, since the bright disc outweighs what distinguishes them.
    """
    size = photograph.shape[0]
    mask = retina_mask(photograph)
    region = inner_retina(mask)
    green = photograph[..., 1].astype(np.float32)
    return {
        "brightness": brightness(photograph, region),
        "retina_share": float(mask.mean()),
        **mean_colours(photograph, region),
        "perceptual_hash": perceptual_hash(without_lighting(green, mask, size / 8) * _disc(size, 0.46)),
    }


def sharpness(photograph: Pixels) -> float:
    """Of the inner retina, see `relative_sharpness`; comparable between photographs of `SHARPNESS_SIDE` pixels."""
    return relative_sharpness(photograph[..., 1].astype(np.float32), inner_retina(retina_mask(photograph)))


def inner_retina(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The retina without its edge, whose contrast is with the black around it; all pixels where there is no retina."""
    inside = ndimage.binary_erosion(mask, iterations=max(1, mask.shape[0] // 32)) if mask.any() else mask
    return np.asarray(inside if inside.any() else np.ones_like(mask), dtype=np.bool_)


def _disc(size: int, radius: float) -> NDArray[np.bool_]:
    """Pixels of a square nearer to its centre than this share of its side."""
    y, x = np.ogrid[:size, :size]
    return np.asarray((x - (size - 1) / 2) ** 2 + (y - (size - 1) / 2) ** 2 < (radius * size) ** 2, dtype=np.bool_)
