"""Where a page's ink is, and how much of it runs over the picture's edge."""

import numpy as np
from numpy.typing import NDArray

from winnow.images.codec import Pixels
from winnow.images.opencv import cv2

Mask = NDArray[np.bool_]

DARKER = 40
"""Ink is darker than the paper around it by at least this, of 255, …"""
WINDOW = 31
"""… the paper being the mean of this many pixels around."""
REACH = 12
"""Ink within so many pixels belongs to the same line of text, along an edge."""
EDGE = 2
"""Pixels that count as the edge."""
ONE_SIDE = 0.7
"""Severity of a side whose text runs over the edge everywhere; sides add up."""


def ink_mask(page: Pixels) -> Mask:
    """Pixels `(height, width)` that are clearly darker than their surroundings."""
    around = cv2.blur(page, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(page.astype(np.int16) < around.astype(np.int16) - DARKER, dtype=np.bool_)


def cut_sides(ink: Mask) -> NDArray[np.float64]:
    """Of each side (left, right, top, bottom) the share of the text along it that runs over the edge, `(4,)`."""
    rows, columns = (_closed(np.asarray(ink.any(axis=axis))) for axis in (1, 0))
    edges = (
        (ink[:, :EDGE].any(axis=1), rows),
        (ink[:, -EDGE:].any(axis=1), rows),
        (ink[:EDGE].any(axis=0), columns),
        (ink[-EDGE:].any(axis=0), columns),
    )
    shares = [(_closed(np.asarray(cut)) & text).sum() / max(int(text.sum()), 1) for cut, text in edges]
    return np.array(shares, dtype=np.float64)


def cut_severity(ink: Mask) -> float:
    """How severely a page is cropped: by text that is visibly cut, not by white that is missing."""
    return float(min(1.0, ONE_SIDE * cut_sides(ink).sum()))


def _closed(line: Mask) -> Mask:
    """The line with gaps between its marks filled, a line of text being wider than its strokes."""
    near = np.convolve(line, np.ones(2 * REACH + 1), mode="same")[: len(line)] > 0.5
    return np.asarray(near if line.any() else np.zeros_like(line), dtype=np.bool_)
