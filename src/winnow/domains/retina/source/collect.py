"""All photographs of the sources, decoded once and on all cores, as the tables of ingest."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pandas as pd

from winnow.domains.retina.source.photographs import Prepared, UnreadableError, prepare
from winnow.domains.retina.source.records import Listing, Record

BATCH = 256
"""Files handed to the cores at a time: as many encoded photographs wait in memory at most."""


@dataclass(frozen=True)
class Collection:
    """One source: what its format is, the path as params.yaml names it, the prefix of its image ids, and its rows."""

    form: str
    path: str
    prefix: str
    listing: Listing


@dataclass(frozen=True)
class Collected:
    """The columns of `Photos`, `Pixels` and `Rejected`."""

    photos: pd.DataFrame
    pixels: pd.DataFrame
    rejected: pd.DataFrame


def collect(collections: Sequence[Collection], *, size: int, crop: bool, contrast: bool) -> Collected:
    """Prepare every photograph; those that cannot be used are rejected with the reason."""
    photos: list[dict[str, object]] = []
    pixels: list[dict[str, object]] = []
    rejected: list[dict[str, object]] = []
    for collection in collections:
        records, refused = _named_once(collection.listing)
        rejected += [_rejection(collection, *row) for row in (*collection.listing.rejected, *refused)]
        for record, outcome in zip(records, prepare_all(records, size, crop=crop, contrast=contrast), strict=True):
            if isinstance(outcome, str):
                rejected.append(_rejection(collection, record.row, record.name, outcome))
                continue
            image_id = f"{collection.prefix}/{record.name}"
            told = {"grade": record.grade, "official_side": record.official_side}
            photos.append(
                {"image_id": image_id, "source": collection.form, "name": record.name, **told, **outcome.measures}
            )
            pixels.append({"image_id": image_id, "png": outcome.png})
    return Collected(
        _typed(photos, PHOTO_TYPES).sort_values("image_id", ignore_index=True),
        _typed(pixels, {"image_id": "str", "png": "object"}).sort_values("image_id", ignore_index=True),
        _typed(rejected, REJECTED_TYPES).sort_values(["source", "row"], ignore_index=True),
    )


def prepare_all(records: Sequence[Record], size: int, *, crop: bool, contrast: bool) -> Iterator[Prepared | str]:
    """Each record's photograph, in order, or the reason why there is none.

    Threads, for decoding, resizing and filtering leave Python's lock.
    """

    def one(record: Record) -> Prepared | str:
        try:
            content = record.content if isinstance(record.content, bytes) else record.content.read_bytes()
            return prepare(content, size=size, crop=crop, contrast=contrast)
        except UnreadableError as error:
            return str(error)
        except OSError as error:
            return f"cannot be read: {error.strerror}"

    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None) as pool:
        for start in range(0, len(records), BATCH):
            yield from pool.map(one, records[start : start + BATCH])


PHOTO_TYPES = {
    "image_id": "str", "source": "str", "name": "str", "grade": "Int64", "official_side": "str",
    "width": "int64", "height": "int64", "brightness": "float64", "sharpness": "float64", "retina_share": "float64",
    "red": "float64", "green": "float64", "blue": "float64", "perceptual_hash": "str",
}  # fmt: skip
REJECTED_TYPES = {"source": "str", "row": "int64", "name": "str", "reason": "str"}


def _named_once(listing: Listing) -> tuple[list[Record], list[tuple[int, str, str]]]:
    """The records without those whose name came before in the same source."""
    first: dict[str, int] = {}
    refused = []
    for record in listing.records:
        if record.name in first:
            refused.append((record.row, record.name, f"{record.name} is named before, in row {first[record.name]}"))
        else:
            first[record.name] = record.row
    kept = {first[name] for name in first}
    return [record for record in listing.records if record.row in kept], refused


def _rejection(collection: Collection, row: int, name: str, reason: str) -> dict[str, object]:
    return {"source": collection.path, "row": row, "name": name, "reason": reason}


def _typed(rows: list[dict[str, object]], types: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(types)).astype(types)
