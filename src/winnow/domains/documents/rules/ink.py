"""Where a page's ink is, how large its text, and how much of it runs over the picture's edge."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

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
LONG = 0.05
"""A dark run along an edge, of at least this share of the page's longer side, is a line or the lid, not text."""
THICK = 0.012
"""A dark area at an edge that is so thick, of the longer side, is no stroke of a letter."""
RIM = 0.015
"""How far from the edge lines are looked for, of the longer side."""
TALLEST = 0.08
"""A mark taller than this share of the longer side is a rule or a picture, not a letter."""
LETTERS = 10
"""Marks below which nothing is said of the text's height."""
TEXT_SHARE = 0.6
"""… which is the height below which lies this share of the marks' area."""
SHORT = 2**16 - 1
"""Labels of marks that fit into two bytes."""
SMALLEST_MARK = 6
"""Grey levels by which print stands out of a page on which hardly any is left."""
ABOVE_GRAIN = 5
"""… and times the deviation of the page's grain."""
MAX_PAIRS = 4000
"""Letters, at most, by which a page's direction is found."""
SURE = 4.0
"""Standard deviations by which the letters must agree on a direction."""


def ink_mask(page: Pixels) -> Mask:
    """Pixels `(height, width)` that are clearly darker than their surroundings."""
    around = cv2.blur(page, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.subtract(around, page) > DARKER, dtype=np.bool_)


def grey_counts(page: Pixels, where: Mask | None = None) -> NDArray[np.int64]:
    """How often each grey occurs, `(256,)`; with `where` `(height, width)` only there."""
    mask = None if where is None else np.ascontiguousarray(where).view(np.uint8)
    return np.asarray(cv2.calcHist([page], [0], mask, [256], [0, 256]).ravel(), dtype=np.int64)


def letters(ink: Mask) -> NDArray[np.int64]:
    """The marks that may be letters, or some that touch: left, top, width and height in pixels, `(marks, 4)`."""
    kind = cv2.CV_16U if _most_marks(ink) < SHORT else cv2.CV_32S  # short labels take a third of the time
    marks = cv2.connectedComponentsWithStats(ink.astype(np.uint8), connectivity=8, ltype=kind)[2]
    found: NDArray[np.int64] = np.asarray(marks, dtype=np.int64)[1:]
    width, height, area = (found[:, column] for column in (cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT, cv2.CC_STAT_AREA))
    tallest = TALLEST * max(ink.shape) + 8
    likely = (height >= 2) & (height < tallest) & (area >= 4) & (width < 4 * height + 4)
    return np.asarray(found[likely][:, :4], dtype=np.int64)


def _most_marks(ink: Mask) -> int:
    """At least the number of labels that OpenCV gives to marks before it joins those of one mark.

    A new one begins where no ink is to the left, above, or above to the left.
    """
    before = np.zeros_like(ink)
    before[:, 1:] |= ink[:, :-1]
    before[1:] |= ink[:-1]
    before[1:, 1:] |= ink[:-1, :-1]
    return int(np.count_nonzero(ink & ~before))


def text_height(marks: NDArray[np.int64]) -> float:
    """About the height of the capitals among `letters`, in pixels; 0 of too few marks to say.

    The height below which lie 60% of the area of all marks' boxes: the dots of a printed picture or of a dotted line
    may be more than the letters, and cover less.
    """
    if len(marks) < LETTERS:
        return 0.0
    order = np.argsort(marks[:, 3], kind="stable")
    area = np.cumsum((marks[:, 2] * marks[:, 3])[order])
    return float(marks[order, 3][np.searchsorted(area, TEXT_SHARE * area[-1])])


def printed_share(page: Pixels, added: Mask) -> float:
    """Share of the pixels that stand out of the paper at all, however faded the print is; `added` is `not_paper`."""
    smooth = cv2.GaussianBlur(page, (0, 0), 1.2)
    darker = cv2.subtract(cv2.blur(smooth, (WINDOW, WINDOW), borderType=cv2.BORDER_REPLICATE), smooth)
    below = grey_counts(cv2.absdiff(page, smooth)).cumsum()  # type: ignore[arg-type]
    grain = float(np.searchsorted(below, page.size / 2)) / 3  # the median, of which smoothing leaves about a third
    rim = max(round(RIM * max(page.shape)), 4)
    printed = (darker > max(SMALLEST_MARK, ABOVE_GRAIN * grain)) & ~added
    return float(printed[rim:-rim, rim:-rim].mean()) if min(page.shape) > 4 * rim else float(printed.mean())


def direction(ink: Mask) -> int:
    """The degrees, clockwise, by which a page of Latin letters is turned: 0, 90, 180, 270; 0 where it cannot be told.

    The letter next to a letter is beside it, not above; and of two neighbours of different height the lower ends are
    level (capitals, digits, b, d, t), not the upper ones (g, p, q, y), in most cases.
    """
    marks = letters(ink)
    if len(marks) < LETTERS:
        return 0
    marks = marks[:: -(-len(marks) // MAX_PAIRS)] if len(marks) > MAX_PAIRS * 4 else marks
    middles = marks[:, :2] + marks[:, 2:] / 2
    nearest = np.asarray(cKDTree(middles).query(middles, k=2)[1])[:, 1]
    steps = np.abs(middles[nearest] - middles)
    beside = steps[:, 0] > 2 * steps[:, 1]
    above = steps[:, 1] > 2 * steps[:, 0]
    lying = above.sum() > beside.sum()
    if abs(int(above.sum()) - int(beside.sum())) < SURE * np.sqrt(max(int(above.sum() + beside.sum()), 1)):
        return 0
    axis = 0 if lying else 1  # across the lines of text
    chosen = np.flatnonzero(above if lying else beside)
    own, other = marks[chosen], marks[nearest[chosen]]
    low = np.abs(own[:, axis] + own[:, axis + 2] - other[:, axis] - other[:, axis + 2])
    high = np.abs(own[:, axis] - other[:, axis])
    votes = np.sign(high - low)[np.abs(own[:, axis + 2] - other[:, axis + 2]) >= 2]
    total = float(votes.sum())
    sure = abs(total) >= SURE * np.sqrt(max(len(votes), 1))
    turns = {(False, True): 0, (False, False): 180, (True, True): 270, (True, False): 90}
    return turns[bool(lying), total > 0] if sure else 0


def not_paper(page: Pixels) -> Mask:
    """What a scanner adds at the edges `(height, width)`: lines along them, and the dark lid behind the page.

    Dark runs that are long along an edge, and dark areas at an edge that are thicker than any stroke.
    """
    side, paper = max(page.shape), float(np.median(page))
    dark = np.asarray(page < paper - DARKER, dtype=np.uint8)
    found = np.zeros_like(dark)
    long, rim = max(round(LONG * side), 24), max(round(RIM * side), 4)
    for edge in (np.s_[:, :rim], np.s_[:, -rim:], np.s_[:rim], np.s_[-rim:]):
        along = np.ones((1, long) if found[edge].shape[0] == rim else (long, 1), np.uint8)
        lines = cv2.morphologyEx(np.ascontiguousarray(dark[edge]), cv2.MORPH_OPEN, along)
        found[edge] = np.maximum(found[edge], np.asarray(lines, dtype=np.uint8))
    thick = max(round(THICK * side), 6)
    border = np.pad(dark, thick, mode="edge")  # so that what leaves the picture counts as thick as it is
    areas = cv2.morphologyEx(border, cv2.MORPH_OPEN, np.ones((thick, thick), np.uint8))[thick:-thick, thick:-thick]
    if areas.any():
        labels = cv2.connectedComponents(np.ascontiguousarray(areas))[1]
        at_edge = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
        found |= np.isin(labels, at_edge[at_edge > 0]).astype(np.uint8)
    near = cv2.dilate(found, np.ones((5, 5), np.uint8)) if found.any() else found
    return np.asarray(near, dtype=np.bool_)


def cut_sides(ink: Mask, added: Mask | None = None) -> NDArray[np.float64]:
    """Of each side (left, right, top, bottom) the share of the text along it that runs over the edge, `(4,)`.

    `added` is what no text is: `not_paper` of the page.
    """
    beside = np.zeros_like(ink) if added is None else added
    text = ink & ~beside
    rows, columns = (_closed(np.asarray(text.any(axis=axis))) for axis in (1, 0))
    ways = np.s_[:, :], np.s_[:, ::-1]
    edges = [(_at_edge(text[way], beside[way]), rows) for way in ways]
    edges += [(_at_edge(text.T[way], beside.T[way]), columns) for way in ways]
    shares = [(_closed(np.asarray(cut)) & each).sum() / max(int(each.sum()), 1) for cut, each in edges]
    return np.array(shares, dtype=np.float64)


def cut_severity(ink: Mask, added: Mask | None = None) -> float:
    """How severely a page is cropped: by text that is visibly cut, not by white that is missing."""
    return float(min(1.0, ONE_SIDE * cut_sides(ink, added).sum()))


def _at_edge(text: Mask, added: Mask) -> Mask:
    """Whether text is at the left end of each row, or where what was added there ends: `(rows,)`."""
    first = ((~added).argmax(axis=1) if added.any() else np.zeros(len(text), np.int64))[:, None] + np.arange(EDGE)
    return np.asarray(np.take_along_axis(text, np.minimum(first, text.shape[1] - 1), axis=1).any(axis=1))


def _closed(line: Mask) -> Mask:
    """The line with gaps between its marks filled, a line of text being wider than its strokes."""
    near = np.convolve(line, np.ones(2 * REACH + 1), mode="same")[: len(line)] > 0.5
    return np.asarray(near if line.any() else np.zeros_like(line), dtype=np.bool_)
