"""Ten ways in which a scan goes wrong, each with an exact severity from 0 (none) to 1 (the page is lost).

Every function takes a grey page `(height, width)` of bytes and gives one of the same size (skew widens, crop cuts).
Lengths are for a page of 1300 pixels and grow with it (`scale`); of a part of a page, `whole` is the longer side of the
page that it was cut from, in pixels. What a severity means is listed in docs/documents.md.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from winnow.domains.documents.rules.ink import ink_mask
from winnow.images.codec import Pixels
from winnow.images.opencv import cv2

Field = NDArray[np.float32]
"""Values from 0 to 1 over a page, `(height, width)`."""

REFERENCE = 1300
MAX_ANGLE = 12.0
STAMPED = ("RECEIVED", "COPY", "PAID", "VOID", "CUSTOMS")
COARSE = 8
"""Smooth fields are computed at every so many pixels."""
PRINTED_FROM = 0.02
"""Share of ink from which a place of the coarse grid counts as printed."""


def scale(page: Pixels, whole: int | None = None) -> float:
    """How much larger than the reference a page is, for lengths in pixels."""
    return float(np.clip((whole or max(page.shape)) / REFERENCE, 0.7, 1.6))


def blur(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """Out of focus (two of three) or moved: a Gaussian, or a line, of standard deviation 0.4 to 3.6 pixels."""
    spread = (0.4 + 3.2 * severity) * scale(page, whole)
    if rng.random() < 2 / 3:
        return _bytes(cv2.GaussianBlur(page, (0, 0), spread))
    reach = max(1, round(spread * 12**0.5 / 2))  # of a line with that standard deviation
    angle = rng.uniform(0, np.pi)
    kernel = np.zeros((2 * reach + 1,) * 2, dtype=np.float32)
    steps = np.linspace(-reach, reach, 4 * reach + 1)
    rows, columns = (np.rint(reach + steps * way).astype(int) for way in (np.sin(angle), np.cos(angle)))
    kernel[rows, columns] = 1
    return _bytes(cv2.filter2D(page, -1, kernel / kernel.sum()))


def noise(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """Grain of standard deviation 6 to 78 of 255 (two of three), or specks on up to 14% of the pixels."""
    del whole
    side = 512
    if rng.random() < 2 / 3:
        grain = np.rint((6 + 72 * severity) * rng.standard_normal((side, side), dtype=np.float32)).astype(np.int16)
        return _clipped(page.astype(np.int16) + _tiled(grain, page, rng))
    specks = np.full((side, side), -1, dtype=np.int16)
    chance = rng.random((side, side), dtype=np.float32)
    specks[chance < 0.01 + 0.13 * severity] = 0
    specks[chance < (0.01 + 0.13 * severity) / 3] = 255
    layer = _tiled(specks, page, rng)
    return np.where(layer < 0, page, layer).astype(np.uint8)


def low_contrast(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """Faded print: 10% to 92% of the contrast is lost, on paper that may be darker too."""
    del whole
    paper = 255 * (1 - 0.35 * severity * rng.random())
    kept = 1 - (0.1 + 0.82 * severity)
    table = np.rint(paper - (255 - np.arange(256)) * kept * paper / 255).clip(0, 255).astype(np.uint8)
    return table[page]


def uneven_illumination(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """A ramp, a dark rim, or a shadow: the darkest place gets 8% to 90% less light."""
    del whole
    y, x = _grid(page)
    kind, angle = int(rng.integers(3)), rng.uniform(0, 2 * np.pi)
    along = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle)
    if kind == 0:
        dark = along
    elif kind == 1:
        dark = (x - rng.uniform(0.3, 0.7)) ** 2 + (y - rng.uniform(0.3, 0.7)) ** 2
    else:
        dark = 1 / (1 + np.exp(-(along - rng.uniform(-0.3, 0.2)) / rng.uniform(0.02, 0.1)))
    dark = (dark - dark.min()) / max(float(np.ptp(dark)), 1e-6)
    return _clipped(page * (1 - (0.08 + 0.82 * severity) * _full(dark, page)))


def compression(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """JPEG of quality 45 down to 2."""
    del rng, whole
    quality = max(2, round(45 * (1 - severity) ** 1.5))
    with io.BytesIO() as buffer:
        Image.fromarray(page).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer))


def low_resolution(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """Reduced to 83% down to 22% of its size, and scaled up again."""
    height, width = page.shape
    share = 1 / (1.2 + 3.4 * severity) / scale(page, whole)
    small = cv2.resize(
        page, (max(8, round(width * share)), max(8, round(height * share))), interpolation=cv2.INTER_AREA
    )
    method = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)[int(rng.choice(3, p=[0.45, 0.45, 0.1]))]
    return _bytes(cv2.resize(small, (width, height), interpolation=method))


def stains_or_ink(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """Blots, rings, wrinkles, folds, pen and stamps that darken the page by 1% to 25% in the mean."""
    del whole
    layers = [STAINS[int(rng.integers(len(STAINS)))](page, rng) for _ in range(int(rng.integers(1, 4)))]
    dark = np.clip(np.sum(layers, axis=0, dtype=np.float32), 0, 1)
    wanted = 0.01 + 0.24 * severity
    dark = np.maximum(dark, 0.05 * _wrinkles(page, rng))  # so that any mean can be reached
    small = dark[::4, ::4]
    strength = _solve(lambda factor: float(np.minimum(factor * small, 0.9).mean()), wanted, 60.0)
    return _clipped(page * (1 - _resized(np.minimum(strength * dark, 0.9), page)))


def glare(page: Pixels, severity: float, rng: np.random.Generator, whole: int | None = None) -> Pixels:
    """One to three bright reflections that wash out 1% to 50% of what is printed; white paper has nothing to lose."""
    del whole
    y, x = _grid(page)
    printed = _printed(page)
    places = np.argwhere(printed) / np.array(printed.shape)
    spots = [
        (places[int(rng.integers(len(places)))], rng.uniform(0.5, 2.0), rng.uniform(0, np.pi))
        for _ in range(rng.integers(1, 4))
    ]
    wanted = 0.01 + 0.49 * severity

    def lit(reach: float) -> Field:
        total = np.zeros(printed.shape, dtype=np.float32)
        for (row, column), stretch, angle in spots:
            u = (x - column) * np.cos(angle) + (y - row) * np.sin(angle)
            v = (y - row) * np.cos(angle) - (x - column) * np.sin(angle)
            total = np.maximum(total, np.exp(-((u / reach) ** 2 + (v / (reach * stretch)) ** 2)))
        return np.asarray(np.minimum(1.4 * total, 1), dtype=np.float32)

    reach = _solve(lambda value: float(lit(value)[printed].mean(dtype=np.float64)), wanted, 2.0)
    washed = _full(lit(reach), page)
    return _clipped(page + (255 - page.astype(np.float32)) * washed)


def skew(page: Pixels, severity: float, rng: np.random.Generator) -> Pixels:
    """Turned by up to 12 degrees; the corners are white, or dark as a scanner's lid."""
    return rotate(page, *tilt(severity, rng))


def tilt(severity: float, rng: np.random.Generator) -> tuple[float, int]:
    """The degrees of a skew, and the grey level of the corners that it uncovers."""
    fill = 255 if rng.random() < 0.7 else int(rng.integers(20, 90))
    return float(rng.choice([-1, 1])) * MAX_ANGLE * severity, fill


def rotate(page: Pixels, degrees: float, fill: int) -> Pixels:
    """The page turned about its centre, in a picture that is large enough for all of it."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    cos, sin = abs(turn[0, 0]), abs(turn[0, 1])
    wide, high = round(width * cos + height * sin), round(height * cos + width * sin)
    turn[:, 2] += (wide - width) / 2, (high - height) / 2
    return _bytes(cv2.warpAffine(page, turn, (wide, high), flags=cv2.INTER_LINEAR, borderValue=fill))


Degradation = Callable[..., Pixels]
"""Of a page, a severity, a generator and, perhaps, `whole`."""

AFTER_FRAMING: dict[str, Degradation] = {
    "stains_or_ink": stains_or_ink,
    "uneven_illumination": uneven_illumination,
    "glare": glare,
    "low_contrast": low_contrast,
    "blur": blur,
    "low_resolution": low_resolution,
    "noise": noise,
    "compression": compression,
}
"""Issues of legibility in the order in which they happen: on paper, to the light, in the lens, in the file."""


def _blots(page: Pixels, rng: np.random.Generator) -> Field:
    """Soft-edged spots of spilt liquid."""
    layer = np.zeros(_half(page), dtype=np.float32)
    for _ in range(int(rng.integers(1, 6))):
        reach = int(max(layer.shape) * rng.uniform(0.02, 0.16))
        cv2.circle(layer, _somewhere(layer, rng), max(reach, 2), float(rng.uniform(0.4, 1)), -1)
    return _soft(layer, rng.uniform(1, 8))


def _rings(page: Pixels, rng: np.random.Generator) -> Field:
    """Of cups and glasses."""
    layer = np.zeros(_half(page), dtype=np.float32)
    for _ in range(int(rng.integers(1, 4))):
        reach = int(max(layer.shape) * rng.uniform(0.06, 0.16))
        cv2.circle(layer, _somewhere(layer, rng), max(reach, 3), float(rng.uniform(0.5, 1)), int(rng.integers(2, 9)))
    return _soft(layer, rng.uniform(0.6, 2.5))


def _wrinkles(page: Pixels, rng: np.random.Generator) -> Field:
    """Crumpled paper: smooth noise of several sizes, dark in its valleys."""
    height, width = _half(page)
    total = np.zeros((height, width), dtype=np.float32)
    for cells in (4, 9, 20, 45):
        coarse = rng.random((cells, cells), dtype=np.float32)
        waves = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
        total += waves / np.float32(cells**0.4)
    middle = np.float32(total.mean())
    valleys = 1 - np.abs(total - middle) / max(float(np.abs(total - middle).max()), 1e-6)
    return np.asarray(np.clip(valleys, 0, 1) ** rng.uniform(2, 7), dtype=np.float32)


def _folds(page: Pixels, rng: np.random.Generator) -> Field:
    """Dark creases across the page."""
    layer = np.zeros(_half(page), dtype=np.float32)
    height, width = layer.shape
    for _ in range(int(rng.integers(1, 5))):
        if rng.random() < 0.5:
            ends = (0, int(rng.integers(height))), (width, int(rng.integers(height)))
        else:
            ends = (int(rng.integers(width)), 0), (int(rng.integers(width)), height)
        cv2.line(layer, *ends, float(rng.uniform(0.5, 1)), int(rng.integers(1, 6)))
    return _soft(layer, rng.uniform(0.6, 5))


def _pen(page: Pixels, rng: np.random.Generator) -> Field:
    """Handwriting and scribbles across the text."""
    layer = np.zeros(_half(page), dtype=np.float32)
    for _ in range(int(rng.integers(1, 5))):
        start, reach = np.array(_somewhere(layer, rng)), max(layer.shape) * rng.uniform(0.02, 0.08)
        steps = rng.normal((reach * 0.5, 0), reach, (int(rng.integers(6, 24)), 2))
        points = np.rint(start + np.cumsum(steps, axis=0)).astype(np.int32)
        cv2.polylines(layer, [points], False, 1.0, int(rng.integers(1, 4)))
    return layer


def _stamps(page: Pixels, rng: np.random.Generator) -> Field:
    """Inked stamps over the text."""
    layer = np.zeros(_half(page), dtype=np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        x, y = int(rng.integers(layer.shape[1])), int(rng.integers(layer.shape[0]))
        wide, high = (int(max(layer.shape) * rng.uniform(*limits)) for limits in ((0.1, 0.25), (0.04, 0.1)))
        cv2.rectangle(layer, (x, y), (x + wide, y + high), 200, 3)
        word = STAMPED[int(rng.integers(len(STAMPED)))]
        size = max(wide / 190, 0.2)
        place = x + 6, y + high // 2 + 6
        cv2.putText(layer, word, place, cv2.FONT_HERSHEY_SIMPLEX, size, 230, max(1, round(3 * size)))
    return np.asarray(layer / np.float32(255), dtype=np.float32)


STAINS = (_blots, _rings, _wrinkles, _folds, _pen, _stamps, _wrinkles)
"""Wrinkles come twice: crumpled or dirty paper is the commonest."""


def _half(page: Pixels) -> tuple[int, int]:
    return max(page.shape[0] // 2, 4), max(page.shape[1] // 2, 4)


def _somewhere(layer: Field, rng: np.random.Generator) -> tuple[int, int]:
    return int(rng.integers(layer.shape[1])), int(rng.integers(layer.shape[0]))


def _soft(layer: Field, spread: float) -> Field:
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), spread), dtype=np.float32)


def _grid(page: Pixels) -> tuple[Field, Field]:
    """Coordinates from 0 to 1, `(rows, 1)` and `(1, columns)`, of a coarse grid over the page."""
    rows, columns = (max(side // COARSE, 4) for side in page.shape)
    return np.linspace(0, 1, rows, dtype=np.float32)[:, None], np.linspace(0, 1, columns, dtype=np.float32)[None]


def _printed(page: Pixels) -> NDArray[np.bool_]:
    """Which places of the coarse grid hold ink; all of them on a page without any."""
    size = tuple(max(side // COARSE, 4) for side in page.shape[::-1])
    found = cv2.resize(ink_mask(page).astype(np.float32), size, interpolation=cv2.INTER_AREA) > PRINTED_FROM
    return np.asarray(found if found.any() else ~found, dtype=np.bool_)


def _full(coarse: "NDArray[np.floating]", page: Pixels) -> Field:
    return _resized(np.broadcast_to(coarse, (max(page.shape[0] // COARSE, 4), max(page.shape[1] // COARSE, 4))), page)


def _resized(layer: "NDArray[np.floating]", page: Pixels) -> Field:
    size = page.shape[1], page.shape[0]
    return np.asarray(cv2.resize(np.ascontiguousarray(layer, np.float32), size, interpolation=cv2.INTER_LINEAR))


def _tiled(tile: NDArray[np.int16], page: Pixels, rng: np.random.Generator) -> NDArray[np.int16]:
    """A random tile repeated over the page; drawing noise for every pixel would take longest of all."""
    shift = tuple(int(value) for value in rng.integers(len(tile), size=2))
    rolled = np.roll(tile, shift, axis=(0, 1))
    repeats = [-(-side // len(tile)) for side in page.shape]
    return np.tile(rolled, repeats)[: page.shape[0], : page.shape[1]]


def _solve(function: Callable[[float], float], wanted: float, high: float) -> float:
    """Where a rising function of a positive value reaches `wanted`, by bisection."""
    low = 0.0
    for _ in range(18):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < wanted else (low, middle)
    return high


def _clipped(values: "NDArray[np.floating] | NDArray[np.int16]") -> Pixels:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def _bytes(values: object) -> Pixels:
    return np.asarray(values, dtype=np.uint8)
