"""Effects of transport and office that harm nothing: they change no label, so that a model learns not to mind them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from winnow.domains.documents.rules.ink import ink_mask, letters, text_height
from winnow.images.codec import Pixels
from winnow.images.opencv import cv2

MIN_SIDE = 160
"""A fragment's height, in pixels, is at least this."""
LEFT = 0.3
"""A strip that would lose more than the rest of its ink is not made."""
CLEAR = 3
"""White rows on both sides of a cut that goes through no text."""
READABLE = 9.0
"""Pixels of a text's height to which a page may be reduced."""
WIDER = 0.03
"""Another scan of a page shows at most this share of its longer side more of the margin, on each side."""


def placed(page: Pixels, rng: np.random.Generator) -> Pixels:
    """The page as another scan shows it: the same pixels, with margins that are a little wider."""
    widths = rng.integers(0, round(WIDER * max(page.shape)), size=(2, 2), endpoint=True)
    return np.pad(page, widths, constant_values=int(np.median(page)))


class Effected(NamedTuple):
    """A page with harmless effects."""

    page: Pixels
    names: tuple[str, ...]
    """those of `EDGE_EFFECTS` are still to be made, by `at_edges`, when the page is framed"""
    whole: int
    """longer side, in pixels, of the page before parts of it were taken: what lengths are relative to"""


def apply(page: Pixels, rng: np.random.Generator, share: float) -> Effected:
    """The page with up to three effects, with the chance `share`, and their names: at least one that changes it."""
    found = Effected(page, (), max(page.shape))
    if rng.random() < share:
        while not found.names:
            found = _with_some(page, rng)
    return found


def _with_some(page: Pixels, rng: np.random.Generator) -> Effected:
    """The page with one to three effects, and the names of those that found something to do on it."""
    known = [*EFFECTS, *EDGE_EFFECTS]
    chosen = [known[place] for place in sorted(rng.permutation(len(known))[: int(rng.integers(1, 4))].tolist())]
    names, whole = [], max(page.shape)
    for name in chosen:
        if name in EDGE_EFFECTS:
            names.append(name)
            continue
        changed = EFFECTS[name](page.copy(), rng)
        if not np.array_equal(changed, page):
            page = changed
            names.append(name)
            whole = max(page.shape) if name == "reduced" else whole
    return Effected(page, tuple(names), whole)


def at_edges(page: Pixels, names: tuple[str, ...], rng: np.random.Generator) -> Pixels:
    """The framed page with those of the named effects that a scanner adds around it."""
    for name, effect in EDGE_EFFECTS.items():
        if name in names:
            page = effect(page, rng)
    return page


def edge_line(page: Pixels, rng: np.random.Generator) -> Pixels:
    """A dark line along one or two edges of the page, 1 to 6 pixels wide."""
    for side in rng.permutation(4)[: int(rng.integers(1, 3))]:
        widths = [[0, 0], [0, 0]]
        widths[side // 2][side % 2] = int(rng.integers(1, 7))
        page = np.pad(page, widths, constant_values=int(rng.integers(0, 110)))
    return page


def lid(page: Pixels, rng: np.random.Generator) -> Pixels:
    """The scanner's dark lid behind a page that lies a little askew: a wedge along one edge, or a dark corner."""
    wide = max(round(max(page.shape) * rng.uniform(0.005, 0.03)), 3)
    right, low = rng.random(2) < 0.5
    framed = np.pad(page, ((0, 0), (0, wide) if right else (wide, 0)), constant_values=int(np.median(page)))
    wedge = np.zeros_like(framed)
    corner = np.array([(0, 0), (wide, 0), (0, round(rng.uniform(0.05, 1.0) * len(framed)))], dtype=np.int32)
    cv2.fillPoly(wedge, [corner], 1)
    behind = wedge[:: -1 if low else 1, :: -1 if right else 1] == 1
    return np.where(behind, np.uint8(rng.integers(10, 100)), framed)


def reduced(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Scanned with fewer pixels, as far as its text stays large enough to be read."""
    height = text_height(letters(ink_mask(page)))
    if height <= READABLE:
        return page
    share = rng.uniform(max(READABLE / height, 0.5), 1)
    size = max(round(page.shape[1] * share), MIN_SIDE), max(round(page.shape[0] * share), MIN_SIDE)
    return np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def fragment(page: Pixels, rng: np.random.Generator) -> Pixels:
    """A part of the page, cut in the white between lines: it looks like a small page, not like a cropped one."""
    height = len(page)
    if height < 2 * MIN_SIDE:
        return page
    length = int(rng.uniform(MIN_SIDE, height))
    start, end = _whole_lines(page, int(rng.integers(0, height - length + 1)), length)
    return page[start:end]


def sparse(page: Pixels, rng: np.random.Generator) -> Pixels:
    """A page with little on it: only some neighbouring lines are printed, the rest is paper."""
    inked = np.flatnonzero(ink_mask(page).any(axis=1))
    if not len(inked):
        return page
    start, end = _whole_lines(page, int(rng.choice(inked)), int(len(page) * rng.uniform(0.03, 0.2)))
    page[:start] = page[end:] = int(np.median(page))
    return page


def strip(page: Pixels, rng: np.random.Generator) -> Pixels:
    """A narrow part of the page, as a receipt is; words that would be cut are not printed."""
    wide = int(page.shape[1] * rng.uniform(0.3, 0.7))
    start = int(rng.integers(0, page.shape[1] - wide + 1))
    if wide < MIN_SIDE:
        return page
    words = _words(page)
    end = start + wide
    whole = _without(page, words, np.union1d(words[:, start], words[:, end - 1]))[:, start:end]
    return whole if _ink(whole) > LEFT * _ink(page[:, start:end]) else page


def blank_areas(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Places where nothing is printed, whole words around them: they look like paper, not like washed-out print."""
    words, gone = _words(page), np.array([], dtype=np.int32)
    for _ in range(int(rng.integers(1, 5))):
        high, wide = (int(side * rng.uniform(0.1, 0.5)) for side in page.shape)
        top, left = (int(rng.integers(side - size)) for side, size in zip(page.shape, (high, wide), strict=True))
        gone = np.union1d(gone, words[top : top + high, left : left + wide])
    blank = _without(page, words, gone)
    return blank if _ink(blank) > 0 else page


def paper(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Paper that is not quite white."""
    return np.asarray(np.rint(page * rng.uniform(0.9, 1.0)), dtype=np.uint8)


def stamp(page: Pixels, rng: np.random.Generator) -> Pixels:
    """A pale round stamp."""
    layer = np.zeros(page.shape, dtype=np.uint8)
    reach = max(round(min(page.shape) * rng.uniform(0.04, 0.09)), 6)
    centre = int(rng.integers(page.shape[1])), int(rng.integers(page.shape[0]))
    for inner in (1.0, 0.7):
        cv2.circle(layer, centre, round(reach * inner), int(rng.integers(40, 110)), 2)
    return _darkened(page, layer)


def fold(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Up to two faint creases where a letter was folded."""
    layer = np.zeros(page.shape, dtype=np.uint8)
    for third in rng.permutation([1, 2])[: int(rng.integers(1, 3))]:
        place = round(page.shape[0] * third / 3)
        cv2.line(layer, (0, place), (page.shape[1], place + int(rng.integers(-4, 5))), int(rng.integers(8, 30)), 2)
    return _darkened(page, layer)


def holes(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Two punched holes at the left, as they look on a dark or a light lid."""
    reach = max(round(max(page.shape) * 0.007), 3)
    shade, column = int(rng.choice([40, 120, 215])), round(page.shape[1] * 0.03) + reach
    for place in (0.42, 0.58):
        cv2.circle(page, (column, round(page.shape[0] * place)), reach, shade, -1)
    return page


def perforation(page: Pixels, rng: np.random.Generator) -> Pixels:
    """The row of small holes along the side of continuous paper."""
    reach = max(round(max(page.shape) * 0.003), 2)
    column = reach + 3 if rng.random() < 0.5 else page.shape[1] - reach - 4
    for place in range(8 * reach, page.shape[0], 10 * reach):
        cv2.circle(page, (column, place), reach, 170, -1)
    return page


def fax_band(page: Pixels, rng: np.random.Generator) -> Pixels:
    """The line that a fax machine prints at the top."""
    size = max(page.shape[1] / 2600, 0.3)
    text = (
        f"{int(rng.integers(1, 29)):02}-{int(rng.integers(1, 13)):02} FROM: FREIGHT OFFICE  P.{int(rng.integers(1, 9))}"
    )
    cv2.putText(
        page, text, (round(page.shape[1] * 0.05), round(26 * size) + 4), cv2.FONT_HERSHEY_PLAIN, 2 * size, 30, 1
    )
    return page


def trim(page: Pixels, rng: np.random.Generator) -> Pixels:
    """Margins cut off close to the text, none of which is lost."""
    ink = ink_mask(page)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) < 20 or len(columns) < 20:
        return page
    left = int(rng.integers(3, 20))
    return page[max(rows[0] - left, 0) : rows[-1] + left, max(columns[0] - left, 0) : columns[-1] + left]


EFFECTS = {
    "reduced": reduced,
    "trim": trim,
    "fragment": fragment,
    "sparse": sparse,
    "strip": strip,
    "blank_areas": blank_areas,
    "paper": paper,
    "stamp": stamp,
    "fold": fold,
    "holes": holes,
    "perforation": perforation,
    "fax_band": fax_band,
}
"""In the order in which they are made."""

EDGE_EFFECTS = {"edge_line": edge_line, "lid": lid}
"""Made last, around what a crop has left of the page."""


def _whole_lines(page: Pixels, start: int, length: int) -> tuple[int, int]:
    """First and last row of the part of a page that holds these rows and ends in the white between lines."""
    white = np.convolve(ink_mask(page).any(axis=1), np.ones(2 * CLEAR + 1), mode="same") < 0.5
    before, after = np.flatnonzero(white[: start + 1]), np.flatnonzero(white[start + length :])
    return int(before[-1]) if len(before) else 0, start + length + int(after[0]) if len(after) else len(page)


def _words(page: Pixels) -> NDArray[np.int32]:
    """The number of the word (or other mark) that each pixel belongs to, 0 for paper, `(height, width)`."""
    marks = cv2.dilate(ink_mask(page).astype(np.uint8), np.ones((5, 3), np.uint8))
    return np.asarray(cv2.connectedComponents(marks)[1], dtype=np.int32)


def _without(page: Pixels, words: NDArray[np.int32], gone: NDArray[np.int32]) -> Pixels:
    """The page with the words of these numbers not printed."""
    missing = np.zeros(int(words.max()) + 1, dtype=np.bool_)
    missing[gone] = True
    missing[0] = False
    return np.where(missing[words], np.uint8(np.median(page)), page)


def _ink(page: Pixels) -> int:
    return int(ink_mask(page).sum())


def _darkened(page: Pixels, by: Pixels) -> Pixels:
    return np.asarray(cv2.subtract(page, by), dtype=np.uint8)
