"""Files to pages as the network sees them: read one at a time, measured, turned upright when asked, and cut."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from winnow.domains.documents import definitions
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.tiling import cut
from winnow.domains.documents.rules.ink import direction, ink_mask, letters, text_height
from winnow.domains.documents.rules.measures import TEXT_HEIGHT, measure
from winnow.domains.documents.rules.reading import Reading, read_page
from winnow.domains.documents.source.pages import FRAMES, each_page, open_pages, read_pages
from winnow.images.codec import ImageError, Pixels
from winnow.images.opencv import cv2

ENOUGH = 10.0
"""Pixels of a text's height by which the direction of a page is found."""
LYING = (90, 270)
"""Degrees by which a page on its side is turned."""
SEVERAL = (".pdf", *FRAMES)
"""Files that may hold several pages."""


@dataclass(frozen=True)
class Options:
    """What is done with each page besides judging it."""

    explained: Path | None = None
    """folder for heat maps"""
    turn: bool = False
    """judge pages that lie on their side or head as if they were upright"""
    ocr: bool = False
    """also read each page by an OCR"""
    limits: Mapping[str, float] = field(default_factory=dict)
    """other limits of the verdict than the model's: `retake_below`, or fields of `definitions.Decision`"""


@dataclass(frozen=True)
class Task:
    """One page to be prepared; of a file with one page, the file is read then."""

    file: Path
    number: int
    pages: int
    page: Pixels | None
    error: str = ""


@dataclass(frozen=True)
class Prepared:
    """A page as the network sees it, or why there is none."""

    task: Task
    page: Pixels
    parts: NDArray[np.uint8]
    measures: list[float]
    turned: int
    """degrees, clockwise"""
    text_height: float = 0.0
    """pixels, as measured upright; 0 where it is unknown"""
    error: str = ""
    reading: Reading | None = None
    is_upright: bool = False
    """whether a page that was turned is judged upright"""


def tasks(files: Sequence[Path], preparation: definitions.Preparation) -> Iterator[Task]:
    """The pages of all files; those of a file that may hold several are read here, one at a time."""
    for file in files:
        if file.suffix.lower() not in SEVERAL:
            yield Task(file, 0, 1, None)
            continue
        try:
            count, pages = open_pages(file.read_bytes(), file.suffix, preparation)
        except (ImageError, OSError) as error:
            yield Task(file, 0, 1, None, reason(error))
            continue
        for number, outcome in enumerate(each_page(pages)):
            if isinstance(outcome, ImageError):  # the others may be readable
                yield Task(file, number, count, None, reason(outcome))
            else:
                yield Task(file, number, count, outcome)


def prepare(task: Task, model: Assessor, options: Options) -> Prepared:
    """A page read, if it was not yet, measured, turned if asked, and cut; or why it cannot be."""
    nothing = np.zeros((0, 0), dtype=np.uint8)
    page, error = task.page, task.error
    if page is None and not error:
        try:
            (page,) = read_pages(task.file.read_bytes(), task.file.suffix, model.preparation)
        except (ImageError, OSError) as failed:
            error = reason(failed)
    if page is None:
        return Prepared(task, nothing, nothing, [], 0, error=error)
    found, reading = measure(page), read_page(page) if options.ocr else None
    turned = reading.turned if reading else None
    if turned is None:
        turned = _direction(page, found[TEXT_HEIGHT])
    if turned and options.turn:
        page = np.ascontiguousarray(np.rot90(page, turned // 90))
        found, reading = measure(page), read_page(page) if options.ocr else None
    height = found[TEXT_HEIGHT]
    if turned in LYING and not options.turn:  # what is measured of a page that lies is the width of its letters
        height = text_height(letters(np.ascontiguousarray(np.rot90(ink_mask(page)))))
    parts, measures = cut(page, model.tiling), list(found.values())
    return Prepared(
        task,
        page if options.explained else nothing,
        parts,
        measures,
        turned,
        height,
        reading=reading,
        is_upright=bool(turned) and options.turn,
    )


def _direction(page: Pixels, height: float) -> int:
    """The degrees by which a page is turned, found on a copy that is no larger than its text needs."""
    share = ENOUGH / height if height > ENOUGH else 1.0
    small = page if share == 1 else cv2.resize(page, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return direction(ink_mask(np.asarray(small, dtype=np.uint8)))


def reason(error: ImageError | OSError) -> str:
    """Why a file, or a page of it, cannot be judged."""
    return f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
