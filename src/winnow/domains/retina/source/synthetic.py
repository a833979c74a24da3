"""The embedded data: drawn retinas whose lesions grow with the grade, in the class shares of a screening programme.

Eyes come in pairs, and a patient's eyes mostly have the same grade. Some photographs are flawed, some are taken twice.
"""

import io

import numpy as np
from PIL import Image, ImageFilter

from winnow.domains.retina import definitions
from winnow.domains.retina.params import Synthetic
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.domains.retina.source.records import Listing, Record

SHARES = np.array([82345, 3700, 10000, 1600, 2400], dtype=np.float64)
"""Photographs of each grade in a large screening collection; only their ratios matter."""

SAME_GRADE = 0.55
"""Chance that the second eye gets the first one's grade; in all 87% of pairs agree, as in EyePACS."""

FLAWS = ("dark", "bright", "blurred", "empty")
QUALITY = 92
"""Of the JPEG files that the drawn photographs are."""


def make(params: Synthetic, rng: np.random.Generator) -> Listing:
    """Photographs named `<patient>_<left|right>`; those taken over again end in `_again`."""
    grades = draw_grades(params.photographs, rng)
    listing = Listing()
    again = round(params.duplicate_share * params.photographs)
    for index, grade in enumerate(grades[: params.photographs - again]):
        eye = definitions.EYES[index % 2]
        photograph = draw_fundus(int(grade), eye == "left", params.size, rng)
        if rng.random() < params.flawed_share:
            photograph = spoil(photograph, FLAWS[int(rng.integers(len(FLAWS)))])
        name = f"{index // 2:05d}_{eye}"
        listing.records.append(Record(index, name, int(grade), _jpeg(photograph, QUALITY)))
    for number, index in enumerate(sorted(rng.choice(len(listing.records), again, replace=False))):
        listing.records.append(_take_again(listing.records[index], len(listing.records), number, rng))
    return listing


def draw_grades(count: int, rng: np.random.Generator) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Grades of `count` eyes, pair by pair; each grade comes as often as its share says, and at least once."""
    shares = SHARES / SHARES.sum()
    wanted = np.maximum(np.floor(shares * count + 0.5).astype(int), 1)
    wanted[0] -= wanted.sum() - count
    pool = rng.permutation(np.repeat(definitions.GRADES, wanted)).tolist()
    left = np.bincount(pool, minlength=len(definitions.GRADES))
    drawn: list[int] = []
    for index in range(count):
        same = index % 2 == 1 and rng.random() < SAME_GRADE and left[drawn[-1]] > 0
        grade = drawn[-1] if same else int(rng.choice(len(left), p=left / left.sum()))
        left[grade] -= 1
        drawn.append(grade)
    return np.array(drawn, dtype=np.int64)


def spoil(photograph: Image.Image, flaw: str) -> Image.Image:
    """What goes wrong at the camera."""
    if flaw == "dark":
        return photograph.point(lambda value: value * 0.16)
    if flaw == "bright":
        return photograph.point(lambda value: min(255, value * 1.2 + 150) if value > 12 else value)
    if flaw == "blurred":
        return photograph.filter(ImageFilter.GaussianBlur(photograph.width / 24))
    return Image.new("RGB", photograph.size, (2, 2, 2))


def _take_again(record: Record, row: int, number: int, rng: np.random.Generator) -> Record:
    """The same photograph once more: brighter, of lower quality, every third graded one step otherwise."""
    assert isinstance(record.content, bytes)
    assert record.grade is not None
    with Image.open(io.BytesIO(record.content)) as image:
        brighter = image.point(lambda value: min(255, value * 1.06))
    step = 1 if record.grade == 0 or (record.grade < definitions.GRADES[-1] and rng.random() < 0.5) else -1
    grade = record.grade + step if number % 3 == 0 else record.grade
    return Record(row, f"{record.name}_again", grade, _jpeg(brighter, 80))


def _jpeg(photograph: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    photograph.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()
