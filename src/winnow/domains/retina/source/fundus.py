"""Drawing one retina: background, vessels, optic disc and macula, and the lesions of a grade.

What each grade shows follows the international scale: microaneurysms alone are mild; haemorrhages and hard exudates
make it moderate; haemorrhages in all quadrants severe; new vessels and bleeding before the retina proliferative.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

OVERSAMPLED = 2
"""Drawn this much larger, then reduced: soft edges."""

COARSE = 4
"""Pixels a side of a patch of background."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Lesions:
    """How many of each, lowest and highest."""

    microaneurysms: tuple[int, int] = (0, 0)
    haemorrhages: tuple[int, int] = (0, 0)
    exudates: tuple[int, int] = (0, 0)
    new_vessels: tuple[int, int] = (0, 0)
    preretinal: tuple[int, int] = (0, 0)


OF_GRADE = (
    Lesions(microaneurysms=(0, 1)),
    Lesions(microaneurysms=(4, 9)),
    Lesions(microaneurysms=(6, 14), haemorrhages=(3, 8), exudates=(0, 12)),
    Lesions(microaneurysms=(10, 20), haemorrhages=(16, 28), exudates=(4, 18)),
    Lesions(microaneurysms=(6, 16), haemorrhages=(6, 20), exudates=(2, 14), new_vessels=(2, 4), preretinal=(1, 2)),
)


def draw_fundus(grade: int, left: bool, size: int, rng: np.random.Generator) -> Image.Image:
    """A photograph `size` pixels a side of a left or right eye, on black."""
    side = size * OVERSAMPLED
    radius = side * 0.48
    image = _background(side, radius, rng)
    pen = ImageDraw.Draw(image)
    middle = side / 2
    direction = -1 if left else 1
    disc = (middle + direction * radius * rng.uniform(0.42, 0.5), middle + radius * rng.uniform(-0.08, 0.08))
    macula = (middle - direction * radius * rng.uniform(0.02, 0.12), middle + radius * rng.uniform(-0.05, 0.1))
    _spot(pen, macula, radius * 0.13, _tint(image, macula, 0.82))
    blood = _tint(image, (middle, middle), 0.6)
    for angle in (0.75, -0.75, 2.35, -2.35, 0.15, 3.0):
        _vessel(pen, disc, angle + rng.normal(0, 0.12), radius, blood, rng)
    _spot(pen, disc, radius * rng.uniform(0.12, 0.15), (250, 214, 150))
    _draw_lesions(pen, OF_GRADE[grade], (middle, middle), disc, radius, rng)
    drawn = np.asarray(image.resize((size, size), Image.Resampling.BOX)).astype(np.float32)
    drawn += 2 * rng.standard_normal(drawn.shape[:2], dtype=np.float32)[..., None]
    y, x = np.ogrid[:size, :size]
    outside = (x - (size - 1) / 2) ** 2 + (y - (size - 1) / 2) ** 2 > (0.48 * size) ** 2
    drawn[outside] = 1
    return Image.fromarray(drawn.clip(0, 255).astype(np.uint8))


def _background(side: int, radius: float, rng: np.random.Generator) -> Image.Image:
    """A lit disc: every eye's own colour, brighter towards a point near its centre. Smooth, so computed coarsely."""
    colour = np.array([rng.uniform(150, 215), rng.uniform(70, 110), rng.uniform(25, 60)])
    lit = side / 2 + radius * rng.uniform(-0.25, 0.25, 2)
    y, x = np.ogrid[:side:COARSE, :side:COARSE]
    fall = 1.05 - 0.42 * ((x - lit[0]) ** 2 + (y - lit[1]) ** 2) / radius**2
    waves = np.sin(x / side * rng.uniform(9, 16) + rng.uniform(0, 6)) * np.sin(y / side * rng.uniform(9, 16))
    pixels = (colour * (fall * (1 + 0.05 * waves))[..., None]).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)


def _vessel(
    pen: ImageDraw.ImageDraw,
    start: Point,
    angle: float,
    radius: float,
    colour: tuple[int, ...],
    rng: np.random.Generator,
) -> None:
    """A bending vessel that thins out and branches."""
    (x, y), bend = start, rng.normal(0, 0.04)
    step, width = radius * 0.09, radius * 0.032
    while width > radius * 0.009:
        angle += bend + rng.normal(0, 0.07)
        end = (x + step * float(np.cos(angle)), y + step * float(np.sin(angle)))
        pen.line([(x, y), end], fill=colour, width=max(1, round(width)))
        if rng.random() < 0.22:
            branch = angle + rng.choice([-1, 1]) * rng.uniform(0.4, 0.8)
            tip = (end[0] + 2.5 * step * float(np.cos(branch)), end[1] + 2.5 * step * float(np.sin(branch)))
            pen.line([end, tip], fill=colour, width=max(1, round(width * 0.6)))
        (x, y), width = end, width * 0.93


def _draw_lesions(
    pen: ImageDraw.ImageDraw, lesions: Lesions, centre: Point, disc: Point, radius: float, rng: np.random.Generator
) -> None:
    for _ in range(rng.integers(*lesions.microaneurysms, endpoint=True)):
        _spot(pen, _somewhere(centre, radius, rng), radius * rng.uniform(0.016, 0.024), (95, 12, 12))
    for _ in range(rng.integers(*lesions.haemorrhages, endpoint=True)):
        at, reach = _somewhere(centre, radius, rng), radius * rng.uniform(0.03, 0.06)
        for _ in range(3):
            _spot(pen, (at[0] + rng.normal(0, reach / 2), at[1] + rng.normal(0, reach / 2)), reach, (85, 10, 10))
    cluster = _somewhere(centre, radius * 0.6, rng)
    for _ in range(rng.integers(*lesions.exudates, endpoint=True)):
        at = (cluster[0] + rng.normal(0, radius * 0.13), cluster[1] + rng.normal(0, radius * 0.13))
        _spot(pen, at, radius * rng.uniform(0.014, 0.032), (250, 235, 130))
    for _ in range(rng.integers(*lesions.new_vessels, endpoint=True)):
        at = (disc[0] + rng.normal(0, radius * 0.2), disc[1] + rng.normal(0, radius * 0.2))
        for _ in range(14):
            tip = (at[0] + rng.normal(0, radius * 0.1), at[1] + rng.normal(0, radius * 0.1))
            pen.line([at, tip], fill=(150, 20, 24), width=max(1, round(radius * 0.014)))
            at = tip
    for _ in range(rng.integers(*lesions.preretinal, endpoint=True)):
        x, y = _somewhere(centre, radius * 0.6, rng)
        wide, high = radius * rng.uniform(0.14, 0.26), radius * rng.uniform(0.07, 0.13)
        pen.chord([x - wide, y - high, x + wide, y + high], 0, 180, fill=(110, 8, 14))


def _somewhere(centre: Point, radius: float, rng: np.random.Generator) -> Point:
    """A point evenly over 85% of the disc."""
    reach, angle = 0.85 * radius * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    return float(centre[0] + reach * np.cos(angle)), float(centre[1] + reach * np.sin(angle))


def _spot(pen: ImageDraw.ImageDraw, at: Point, radius: float, colour: tuple[int, ...]) -> None:
    pen.ellipse([at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius], fill=colour)


def _tint(image: Image.Image, at: Point, factor: float) -> tuple[int, ...]:
    """The colour at a point, darker."""
    pixel = image.getpixel((int(at[0]), int(at[1])))
    assert isinstance(pixel, tuple)
    return tuple(int(value * factor) for value in pixel)
