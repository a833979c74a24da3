"""From the bytes of a file to the grey pages that everything after ingest uses, each at its own resolution."""

import io
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image

from winnow.domains.documents.definitions import Preparation
from winnow.images import memory
from winnow.images.codec import ImageError, Pixels, check_size, decode, decoding, found, shown_pixels
from winnow.images.opencv import cv2
from winnow.images.pdf import MAX_PAGES, pdf_pages
from winnow.images.perceptual import SIDE, perceptual_hash

HEIF = (".heic", ".heif")
FRAMES = (".tif", ".tiff", ".gif", ".webp")
"""Image files that may hold several pages."""
SUFFIXES = (".png", ".jpg", ".jpeg", *FRAMES, ".bmp", *HEIF, ".pdf")
FAX = 1.5, 2.5
"""Dots of a line over lines, an inch of each: a fax of 204 × 98 shows letters of half their height."""
MIN_SIDE = 64
"""Pixels of the shorter side below which nothing can be said of a page."""
MAX_ASPECT = 100
"""The longer side over the shorter one from which nothing is a page; a receipt of 3 metres has 40. What is measured
takes time by the square of the longer side."""
A4 = 2**0.5
"""The longer side of a page over its shorter one."""
LONGEST = 4
"""A page may have so many times the pixels of an A4 page whose longer side is `max_side`."""


MAX_TOGETHER = 500_000_000
"""Pixels of all pages of a file, where they are needed together: 180 pages of A4 at a `max_side` of 2,000."""


class Opened(NamedTuple):
    """A file that is being read."""

    number: int
    """of its pages"""
    pages: Iterator[Pixels]
    """one at a time, `(height, width)` in grey; raises ImageError for one that cannot be read, and goes on then"""


def read_pages(content: bytes, suffix: str, preparation: Preparation) -> list[Pixels]:
    """All pages of a file, `(height, width)` in grey. Raises ImageError, also when one of them cannot be read."""
    pages, reasons = readable_pages(content, suffix, preparation)
    if reasons:
        raise ImageError(reasons[0])
    return pages


def readable_pages(content: bytes, suffix: str, preparation: Preparation) -> tuple[list[Pixels], list[str]]:
    """The pages of a file that can be read, and why others cannot. Raises ImageError for the file as a whole."""
    pages: list[Pixels] = []
    reasons: list[str] = []
    for outcome in each_page(open_pages(content, suffix, preparation).pages):
        if isinstance(outcome, ImageError):
            reasons.append(str(outcome))
        else:
            pages.append(outcome)
        if sum(each.size for each in pages) > MAX_TOGETHER:
            raise ImageError(f"its pages have more than {MAX_TOGETHER:,} pixels together: split the file")
    return pages, reasons


def each_page(pages: Iterator[Pixels]) -> Iterator[Pixels | ImageError]:
    """The pages of an opened file, or why one cannot be read."""
    while True:
        try:
            page: Pixels | ImageError = next(pages)
        except StopIteration:
            return
        except ImageError as error:
            page = error
        yield page


def open_pages(content: bytes, suffix: str, preparation: Preparation) -> Opened:
    """The pages of a PDF, of a TIFF, GIF or WebP, which may hold several, or the one of an image. Raises ImageError."""
    if suffix.lower() == ".pdf":
        count, pages = pdf_pages(content, preparation.pdf_dpi)
    elif suffix.lower() in FRAMES:
        count = _count_frames(content)
        pages = map(found, _frames(content, count))
    else:
        if suffix.lower() in HEIF:
            _read_heif()
        count, pages = 1, iter([to_grey(decode(content)[0])])
    return Opened(count, map(partial(fit, max_side=preparation.max_side), pages))


def _count_frames(content: bytes) -> int:
    """The number of images of a file that may hold several, also of one that is broken off. Raises ImageError."""
    if not content:
        raise ImageError("the file is empty")
    with decoding("corrupt image"), Image.open(io.BytesIO(content)) as image:
        count = _tiff_frames(image) if image.format == "TIFF" else getattr(image, "n_frames", 1)
    if count > MAX_PAGES:
        raise ImageError(f"a file of {count} images, and at most {MAX_PAGES} are read")
    return count


def _tiff_frames(image: Image.Image) -> int:
    """With those that cannot be read, for which Pillow would not count the others."""
    count = 0
    while count <= MAX_PAGES:
        try:
            image.seek(count)
        except EOFError:
            break
        except Exception:  # noqa: S110 - `_frames` says why
            pass
        count += 1
    return count


def _frames(content: bytes, count: int) -> Iterator[Pixels | ImageError]:
    """The images of a file, or why one cannot be read."""
    with decoding("corrupt image"), Image.open(io.BytesIO(content)) as image:
        for number in range(count):
            try:
                with decoding(f"page {number + 1} is corrupt" if count > 1 else "corrupt image"):
                    image.seek(number)
                    check_size(*image.size)
                    memory.claim(image.width * image.height)
                    page: Pixels | ImageError = _squared(to_grey(shown_pixels(image)), image)
            except ImageError as error:
                broken = ImageError(f"page {number + 1} and what follows are missing: the file is broken off")
                page = error if getattr(image, "tag_v2", True) else broken
            yield page


def _squared(page: Pixels, image: Image.Image) -> Pixels:
    """The page with as many lines an inch as dots, if it is of a fax."""
    across, down = (float(dots) for dots in image.info.get("dpi", (1, 1)))
    if not FAX[0] * down < across < FAX[1] * down:
        return page
    return np.asarray(cv2.resize(page, None, fx=1, fy=across / down), dtype=np.uint8)


def _read_heif() -> None:
    try:
        from pi_heif import register_heif_opener  # noqa: PLC0415 - an extra
    except ImportError:
        raise ImageError("HEIC is read with the extra `heic`: pip install 'winnow[heic]', or save it as JPEG") from None
    register_heif_opener()


def to_grey(pixels: Pixels) -> Pixels:
    """Luminance `(height, width)` of colours `(height, width, 3)`."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def fit(page: Pixels, max_side: int) -> Pixels:
    """The page, reduced when it is larger than an A4 page whose longer side has `max_side` pixels.

    What counts is the shorter side, so that the text of a long receipt is not reduced with its length, and, of pages
    that are longer still, the number of pixels. Raises ImageError if the page is too small or too long.
    """
    height, width = page.shape
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"too small: {width} × {height} pixels, and at least {MIN_SIDE} a side are needed")
    if max(height, width) > MAX_ASPECT * min(height, width):
        raise ImageError(f"too long: {width} × {height} pixels, and one side may have {MAX_ASPECT} times the other's")
    most = LONGEST * max_side**2 / A4
    share = min(max(max_side / max(height, width), max_side / A4 / min(height, width)), (most / page.size) ** 0.5)
    if share >= 1:
        return page
    size = max(round(width * share), MIN_SIDE), max(round(height * share), MIN_SIDE)
    return np.asarray(Image.fromarray(page).resize(size, Image.Resampling.BOX))


def page_hash(page: Pixels) -> str:
    """The perceptual hash by which pages that look alike are found."""
    return perceptual_hash(cv2.resize(page, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
