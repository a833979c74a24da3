"""Whether two pages that look alike from afar are the same: a filled-in form differs from another in a few words.

Perceptual hashes see no such detail. Pages are compared at their own resolution where both are there, and by a map of
where their print is where only that was kept.
"""

import numpy as np
from numpy.typing import NDArray

from winnow.images.codec import Pixels
from winnow.images.opencv import cv2

CLEARLY, BARELY, WINDOW = 50, 15, 31
"""Print is so much darker than the mean of so many pixels around: for sure, and perhaps."""
PART = 14
"""Pixels a side, of a page of 1,000, of the parts that are compared: about a word's height."""
INKED = 6.0
"""A part that is darker than its surroundings by less than this, in the mean, holds no print."""
ALIKE = 0.8
"""Correlation of two parts from which they show the same."""
SHIFTS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
"""Pixels by which a part may be moved beside the rest of the page."""
CELLS = 112
"""The map has so many cells each way, …"""
PRINTED, EMPTY = 0.10, 0.02
"""… printed from this share of print, and empty below this one."""
OTHER_CELLS = 3
"""Cells, printed in one map alone, from which pages are not the same."""


def same_page(one: Pixels, other: Pixels) -> bool:
    """Whether two grey pages show the same print, each at its own size: every printed part of one is on the other.

    The larger is reduced to the smaller; parts are compared by their normalised correlation. Print may be moved a
    little, fainter, or blurred; not turned.
    """
    height, width = (min(sides) for sides in zip(one.shape, other.shape, strict=True))
    first, second = (_darker(_resized(page, height, width)) for page in (one, other))
    second = _aligned(first, second)
    side = max(round(PART * max(height, width) / 1000), 5)
    marks = [
        np.asarray(cv2.GaussianBlur(np.clip(each, 0, 255).astype(np.float32), (0, 0), 1.0), dtype=np.float32)
        for each in (first, second)
    ]

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.boxFilter(values, -1, (side, side)), dtype=np.float32)

    means = [mean(each) for each in marks]
    inked = np.maximum(*means) > INKED
    spreads = [np.maximum(mean(each * each) - average**2, 1.0) for each, average in zip(marks, means, strict=True)]
    best = np.full(inked.shape, -1.0, dtype=np.float32)
    for shift in SHIFTS:
        moved, average, spread = (np.roll(each, shift, (0, 1)) for each in (marks[1], means[1], spreads[1]))
        best = np.maximum(best, (mean(marks[0] * moved) - means[0] * average) / np.sqrt(spreads[0] * spread))
    rim = np.s_[side:-side, side:-side]
    return not bool((inked & (best < ALIKE))[rim].any())


def _aligned(fixed: NDArray[np.int16], moved: NDArray[np.int16]) -> NDArray[np.int16]:
    """The second moved by whole pixels to where it fits the first best (phase correlation, Kuglin and Hines 1975)."""
    dx, dy = cv2.phaseCorrelate(*(np.clip(each, 0, 255).astype(np.float32) for each in (fixed, moved)))[0]
    return np.roll(moved, (-round(dy), -round(dx)), (0, 1))


def print_map(page: Pixels) -> bytes:
    """Where the print of a grey page is: two bits for each of 112 × 112 cells, printed and not empty."""
    darker = _darker(page)
    shares = [
        cv2.resize((darker > least).astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
        for least in (CLEARLY, BARELY)
    ]
    return np.packbits(np.stack([shares[0] > PRINTED, shares[1] > EMPTY])).tobytes()


def same_map(one: bytes, other: bytes) -> bool:
    """Whether two pages have their print at the same places, by `print_map`."""
    first, second = (np.unpackbits(np.frombuffer(each, np.uint8)).reshape(2, CELLS, CELLS) for each in (one, other))
    around = np.ones((3, 3), np.uint8)
    pairs = (first, second), (second, first)
    alone = [int((own[0] > np.asarray(cv2.dilate(its[1], around))).sum()) for own, its in pairs]
    return max(alone) < OTHER_CELLS


def _resized(page: Pixels, height: int, width: int) -> Pixels:
    if page.shape == (height, width):
        return page
    return np.asarray(cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _darker(page: Pixels) -> NDArray[np.int16]:
    """By how much each pixel is darker than those around."""
    around = cv2.blur(page, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(around.astype(np.int16) - page, dtype=np.int16)
