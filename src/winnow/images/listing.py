"""Rows of image sources, before any pixel is read; `Record` is a domain's own description of one image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import pandas as pd

from winnow.pipeline.errors import SourceError

Record = TypeVar("Record")


@dataclass
class Listing(Generic[Record]):
    """All rows of a source: those that name an image, and those that cannot be used, with the reason."""

    records: list[Record] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    """(row, name, reason)"""

    @property
    def rows(self) -> int:
        return len(self.records) + len(self.rejected)


@dataclass(frozen=True)
class Collection(Generic[Record]):
    """One source: its format, the path as params.yaml names it, the prefix of its image ids, and its rows."""

    form: str
    path: str
    prefix: str
    listing: Listing[Record]

    def rejection(self, row: int, name: str, reason: str) -> dict[str, object]:
        """A row of `curate.tables.Rejected`."""
        return {"source": self.path, "row": row, "name": name, "reason": reason}


def check_prefixes(collections: Sequence[Collection[Any]]) -> None:
    """Raises SourceError when two sources would give their images the same ids."""
    prefixes = [collection.prefix for collection in collections]
    if len(set(prefixes)) < len(prefixes):
        raise SourceError(
            "two sources have the same file name, which is part of their images' ids",
            where=", ".join(collection.path for collection in collections),
            fix="rename one of them",
        )


def typed_frame(rows: Sequence[Mapping[str, object]], types: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a table with these columns, in this order, and their types; also without a row."""
    return pd.DataFrame(rows, columns=list(types)).astype(dict(types))
