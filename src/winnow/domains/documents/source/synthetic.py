"""The embedded data: drawn pages of five kinds at several fonts, some of them blank or shown twice."""

import numpy as np

from winnow.domains.documents.params import Synthetic
from winnow.domains.documents.source.drawing import KINDS, Page
from winnow.domains.documents.source.records import Listing, Record
from winnow.images.codec import Pixels

RATIO = 1.4
"""Height of a page over its width, about A4's; receipts are narrower."""


def make(params: Synthetic, rng: np.random.Generator) -> Listing:
    """Pages named `<kind>_<number>`; pages that are shown again end in `_again`."""
    again = round(params.duplicate_share * params.pages)
    listing = Listing()
    for number in range(params.pages - again):
        kind = list(KINDS)[number % len(KINDS)]
        page = draw_page(kind, params.width, rng)
        if rng.random() < params.blank_share:
            page = np.full_like(page, 250)
        listing.records.append(Record(number, f"{kind}_{number:05d}", page))
    for place in sorted(rng.choice(len(listing.records), again, replace=False)):
        record = listing.records[place]
        assert isinstance(record.content, np.ndarray)
        moved = np.roll(record.content, (2, -1), axis=(0, 1))
        grain = rng.normal(0, 4, moved.shape)
        again_page = np.rint(moved + grain).clip(0, 255).astype(np.uint8)
        listing.records.append(Record(listing.rows, f"{record.name}_again", again_page))
    return listing


def draw_page(kind: str, width: int, rng: np.random.Generator) -> Pixels:
    """A clean page of one of `drawing.KINDS`, in grey."""
    wide = round(width * (0.62 if kind == "receipt" else 1))
    page = Page(wide, round(width * RATIO), rng)
    KINDS[kind](page)
    return np.asarray(page.image)
