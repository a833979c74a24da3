"""From the bytes of a file to the grey page that everything after ingest uses, at its own resolution."""

import io

import numpy as np
from PIL import Image

from winnow.domains.documents.definitions import Preparation
from winnow.images.codec import ImageError, Pixels, decode
from winnow.images.opencv import cv2
from winnow.images.pdf import render_pages
from winnow.images.perceptual import SIDE, perceptual_hash

TIFF = (".tif", ".tiff")
SUFFIXES = (".png", ".jpg", ".jpeg", *TIFF, ".bmp", ".pdf")
MIN_SIDE = 64
"""Pixels of the shorter side below which nothing can be said of a page."""


def read_pages(content: bytes, suffix: str, preparation: Preparation) -> list[Pixels]:
    """The pages of a file, `(height, width)` in grey: those of a PDF rendered, an image's one. Raises ImageError.

    A TIFF of several pages is refused, since only its first one would be read.
    """
    if suffix.lower() == ".pdf":
        return [fit(page, preparation.max_side) for page in render_pages(content, preparation.pdf_dpi)]
    page = fit(to_grey(decode(content)[0]), preparation.max_side)
    if suffix.lower() in TIFF:
        with Image.open(io.BytesIO(content)) as image:
            if (count := getattr(image, "n_frames", 1)) > 1:
                raise ImageError(f"a TIFF of {count} pages: save it as a PDF")
    return [page]


def to_grey(pixels: Pixels) -> Pixels:
    """Luminance `(height, width)` of colours `(height, width, 3)`."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def fit(page: Pixels, max_side: int) -> Pixels:
    """The page, reduced when its longer side has more pixels than `max_side`. Raises ImageError if it is too small."""
    height, width = page.shape
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"too small: {width} × {height} pixels, and at least {MIN_SIDE} a side are needed")
    share = max_side / max(height, width)
    if share >= 1:
        return page
    size = max(round(width * share), MIN_SIDE), max(round(height * share), MIN_SIDE)
    return np.asarray(Image.fromarray(page).resize(size, Image.Resampling.BOX))


def page_hash(page: Pixels) -> str:
    """The perceptual hash by which pages that show the same are found."""
    return perceptual_hash(cv2.resize(page, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
