"""All pages of the sources as a stream: each file read, its pages prepared, measured, stored, and let go."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from winnow.domains.documents import definitions
from winnow.domains.documents.rules.ink import ink_mask
from winnow.domains.documents.source.pages import fit, page_hash, read_pages
from winnow.domains.documents.source.records import Collection, Record
from winnow.images.codec import Pixels, encode_png
from winnow.images.listing import typed_frame
from winnow.images.parallel import map_readable
from winnow.images.store import ImageWriter

PAGE_IN_NAME = re.compile(r"(?P<document>.+?)[_-]p(?:age)?[_-]?\d+", re.IGNORECASE)
"""`report_p2` is page 2 of the document `report`."""


@dataclass(frozen=True)
class Collected:
    """The columns of `Pages` and `Rejected`; both sorted, the pages in the order of their store."""

    pages: pd.DataFrame
    rejected: pd.DataFrame


def document_of(name: str) -> str:
    """The document that a page belongs to, by its name."""
    found = PAGE_IN_NAME.fullmatch(name)
    return found["document"] if found else name


def collect(collections: Sequence[Collection], preparation: definitions.Preparation, images: ImageWriter) -> Collected:
    """Read every file and add its pages to `images`, in the order of their ids; what cannot be used is rejected."""
    rejected = [each.rejection(*row) for each in collections for row in each.listing.rejected]
    named = [(f"{each.prefix}/{record.name}", each, record) for each in collections for record in each.listing.records]
    named.sort(key=lambda entry: entry[0])

    def prepare(record: Record) -> list[tuple[bytes, dict[str, object]]]:
        return [(encode_png(page), _measures(page)) for page in _pages(record, preparation)]

    pages: list[dict[str, object]] = []
    outcomes = map_readable(prepare, (record for _, _, record in named))
    for (image_id, collection, record), outcome in zip(named, outcomes, strict=True):
        if isinstance(outcome, str):
            rejected.append(collection.rejection(record.row, record.name, outcome))
            continue
        for number, (png, measures) in enumerate(outcome, 1):
            page_id = f"{image_id}#{number:04}" if len(outcome) > 1 else image_id
            images.add(page_id, png)
            pages.append(
                {
                    "image_id": page_id,
                    "source": collection.form,
                    "name": record.name,
                    "document": f"{collection.prefix}/{record.document or document_of(record.name)}",
                    **_labels(record),
                    **measures,
                }
            )
    return Collected(
        typed_frame(pages, PAGE_TYPES),
        typed_frame(rejected, REJECTED_TYPES).sort_values(["source", "row"], ignore_index=True),
    )


PAGE_TYPES = {
    "image_id": "str", "source": "str", "name": "str", "document": "str", "score": "float64", "label": "Int64",
    "issues": "str", "width": "int64", "height": "int64", "contrast": "float64", "ink_share": "float64",
    "perceptual_hash": "str",
}  # fmt: skip
REJECTED_TYPES = {"source": "str", "row": "int64", "reason": "str", "name": "str"}


def _pages(record: Record, preparation: definitions.Preparation) -> list[Pixels]:
    if isinstance(record.content, Path):
        return read_pages(record.content.read_bytes(), record.content.suffix, preparation)
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
    }


def _levels(page: Pixels) -> tuple[int, int]:
    """Grey levels below which lie a thousandth and a half of the pixels."""
    below = np.cumsum(np.bincount(page.ravel(), minlength=256))
    return int(np.searchsorted(below, page.size / 1000)), int(np.searchsorted(below, page.size / 2))


def _labels(record: Record) -> dict[str, object]:
    issues = None if record.issues is None else ";".join(sorted(record.issues))
    return {"score": record.score, "label": record.label, "issues": issues}
