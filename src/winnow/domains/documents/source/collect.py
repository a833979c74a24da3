"""All pages of the sources as a stream: each file read, its pages prepared, measured, stored, and let go."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from winnow.domains.documents import definitions
from winnow.domains.documents.rules.ink import ink_mask
from winnow.domains.documents.source.files import documents_of_source
from winnow.domains.documents.source.pages import each_page, fit, open_pages, page_hash
from winnow.domains.documents.source.records import Collection, Record
from winnow.images.alike import print_map
from winnow.images.codec import ImageError, Pixels, encode_png
from winnow.images.listing import typed_frame
from winnow.images.parallel import map_readable
from winnow.images.store import ImageWriter

MAX_BYTES = 400 * 2**20
"""of the pages of one file, which are stored as PNG"""
PIECE = 4096
"""Pages whose rows are kept until they are written: the maps of their print take 6 kilobytes each."""


@dataclass(frozen=True)
class Collected:
    """What was read besides the pages."""

    rejected: pd.DataFrame
    """`Rejected`, sorted: files, and pages of files whose others are used"""
    unused: pd.DataFrame
    """the files among them, of which nothing is used"""
    severities: pd.DataFrame
    """`GivenSeverities`, in the order of the pages"""
    by_source: Mapping[str, int]
    """pages of each format"""
    documents: int


def collect(
    collections: Sequence[Collection],
    preparation: definitions.Preparation,
    images: ImageWriter,
    write: Callable[[pd.DataFrame], None],
) -> Collected:
    """Read every file; add its pages to `images` and their rows, piece by piece, by `write`, in the order of their ids.

    Rows have the columns of `Pages`; there is one piece at least, also without a page. What cannot be used is rejected.
    """
    rejected = [each.rejection(*row) for each in collections for row in each.listing.rejected]
    named = [(f"{each.prefix}/{record.name}", each, record) for each in collections for record in each.listing.records]
    named.sort(key=lambda entry: entry[0])

    unread: list[dict[str, object]] = []
    pages: list[dict[str, object]] = []
    severities: list[tuple[str, str, float]] = []
    by_source: Counter[str] = Counter()
    seen: set[str] = set()
    documents = {
        each.prefix: documents_of_source([record.name for record in each.listing.records]) for each in collections
    }
    outcomes = map_readable(partial(_read, preparation=preparation), (record.anywhere() for _, _, record in named))
    for (image_id, collection, record), outcome in zip(named, outcomes, strict=True):
        if isinstance(outcome, str):
            rejected.append(collection.rejection(record.row, record.name, outcome))
            continue
        for number, read in enumerate(outcome, 1):
            place = f"#{number:04}" if len(outcome) > 1 else ""
            if isinstance(read, ImageError):  # the file's other pages are used
                unread.append(collection.rejection(record.row, f"{record.name}{place}", str(read)))
                continue
            png, measures = read
            page_id = f"{image_id}{place}"
            images.add(page_id, png)
            document = f"{collection.prefix}/{record.document or documents[collection.prefix][record.name]}"
            seen.add(document)
            by_source[collection.form] += 1
            pages.append(
                {
                    "image_id": page_id,
                    "source": collection.form,
                    "name": record.name,
                    "document": document,
                    "page": f"{collection.prefix}/{record.page}" if record.page else None,
                    "official_split": record.official_split,
                    "readability": record.readability,
                    **_labels(record),
                    **measures,
                }
            )
            given = zip(definitions.ISSUES, record.severities or (), strict=bool(record.severities))
            severities += [(page_id, issue, severity) for issue, severity in given]
            if len(pages) == PIECE:
                write(typed_frame(pages, PAGE_TYPES))
                pages.clear()
    if pages or not seen:
        write(typed_frame(pages, PAGE_TYPES))
    lost = typed_frame([*rejected, *unread], REJECTED_TYPES)
    return Collected(
        lost.sort_values(["source", "row", "name"], ignore_index=True),
        lost[: len(rejected)].sort_values(["source", "row"], ignore_index=True),
        pd.DataFrame(severities, columns=["image_id", "issue", "severity"]).astype(
            {"image_id": "str", "issue": "str", "severity": "float64"}
        ),
        by_source,
        len(seen),
    )


PAGE_TYPES = {
    "image_id": "str", "source": "str", "name": "str", "document": "str", "score": "float64", "label": "Int64",
    "issues": "str", "width": "int64", "height": "int64", "contrast": "float64", "ink_share": "float64",
    "perceptual_hash": "str", "print_map": "str", "page": "str", "official_split": "str",
    "readability": "float64",
}  # fmt: skip
REJECTED_TYPES = {"source": "str", "row": "int64", "reason": "str", "name": "str"}


def _read(record: Record, preparation: definitions.Preparation) -> list[tuple[bytes, dict[str, object]] | ImageError]:
    """The pages of a file as PNG with their measures, or why one cannot be read. Raises ImageError for the file."""
    found: list[tuple[bytes, dict[str, object]] | ImageError] = []
    size = 0
    for page in _pages(record, preparation):  # one at a time: decoded, a file of many pages is gigabytes
        if isinstance(page, ImageError):
            found.append(page)
            continue
        png = encode_png(page)
        found.append((png, _measures(page)))
        size += len(png)
        if size > MAX_BYTES:
            raise ImageError(f"its pages take more than {MAX_BYTES:,} bytes as PNG: split the file")
    if all(isinstance(each, ImageError) for each in found):
        raise next((each for each in found if isinstance(each, ImageError)), ImageError("it holds no page"))
    return found


def _pages(record: Record, preparation: definitions.Preparation) -> Iterable[Pixels | ImageError]:
    if isinstance(record.content, Path):
        return each_page(open_pages(record.content.read_bytes(), record.content.suffix, preparation).pages)
    return [fit(record.content, preparation.max_side)]


def _measures(page: Pixels) -> dict[str, object]:
    """Size, contrast between the darkest and the commonest greys, share of ink, and the perceptual hash."""
    ink = ink_mask(page)
    dark, light = (float(level) for level in _levels(page))
    return {
        "height": page.shape[0],
        "width": page.shape[1],
        "contrast": light - dark,
        "ink_share": float(ink.mean()),
        "perceptual_hash": page_hash(page),
        "print_map": print_map(page).hex(),
    }


def _levels(page: Pixels) -> tuple[int, int]:
    """Grey levels below which lie a thousandth and a half of the pixels."""
    below = np.cumsum(np.bincount(page.ravel(), minlength=256))
    return int(np.searchsorted(below, page.size / 1000)), int(np.searchsorted(below, page.size / 2))


def _labels(record: Record) -> dict[str, object]:
    issues = None if record.issues is None else ";".join(sorted(record.issues))
    return {"score": record.score, "label": record.label, "issues": issues}
