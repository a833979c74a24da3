"""All photographs of the sources as a stream: each one decoded, prepared, measured, stored and dropped from memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from winnow.domains.retina.definitions import Preparation
from winnow.domains.retina.source.photographs import Prepared, prepare
from winnow.domains.retina.source.records import Collection, Listing, Record
from winnow.images.listing import typed_frame
from winnow.images.parallel import map_readable
from winnow.images.store import ImageWriter


@dataclass(frozen=True)
class Collected:
    """The columns of `Photos` and `Rejected`; both sorted, the photographs in the order of their store."""

    photos: pd.DataFrame
    rejected: pd.DataFrame


def collect(collections: Sequence[Collection], preparation: Preparation, images: ImageWriter) -> Collected:
    """Prepare every photograph and add it to `images`, by image_id; unusable ones are rejected with the reason."""
    rejected: list[dict[str, object]] = []
    named: list[tuple[str, Collection, Record]] = []
    for collection in collections:
        records, repeated = _named_once(collection.listing)
        rejected += [collection.rejection(*row) for row in (*collection.listing.rejected, *repeated)]
        named += [(f"{collection.prefix}/{record.name}", collection, record) for record in records]
    named.sort(key=lambda entry: entry[0])

    photos: list[dict[str, object]] = []
    outcomes = map_readable(partial(_prepared, preparation=preparation), (record.anywhere() for _, _, record in named))
    for (image_id, collection, record), outcome in zip(named, outcomes, strict=True):
        if isinstance(outcome, str):
            rejected.append(collection.rejection(record.row, record.name, outcome))
            continue
        images.add(image_id, outcome.png)
        labels = {
            "grade": record.grade,
            "official_split": record.official_split,
            "patient": record.patient,
            "eye": record.eye,
        }
        photos.append(
            {"image_id": image_id, "source": collection.form, "name": record.name, **labels, **outcome.measures}
        )
    return Collected(
        typed_frame(photos, PHOTO_TYPES),
        typed_frame(rejected, REJECTED_TYPES).sort_values(["source", "row"], ignore_index=True),
    )


PHOTO_TYPES = {
    "image_id": "str", "source": "str", "name": "str", "grade": "Int64", "official_split": "str",
    "patient": "str", "eye": "str",
    "width": "int64", "height": "int64", "brightness": "float64", "sharpness": "float64", "retina_share": "float64",
    "red": "float64", "green": "float64", "blue": "float64", "perceptual_hash": "str",
}  # fmt: skip
REJECTED_TYPES = {"source": "str", "row": "int64", "reason": "str", "name": "str"}


def _prepared(record: Record, preparation: Preparation) -> Prepared:
    return prepare(record.read(), preparation)


def _named_once(listing: Listing) -> tuple[list[Record], list[tuple[int, str, str]]]:
    """The records without those whose name came before in the same source."""
    first: dict[str, int] = {}
    repeated = []
    for record in listing.records:
        if record.name in first:
            repeated.append((record.row, record.name, f"{record.name} is named before, in row {first[record.name]}"))
        else:
            first[record.name] = record.row
    rows = set(first.values())
    return [record for record in listing.records if record.row in rows], repeated
