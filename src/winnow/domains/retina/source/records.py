"""What every format gives: where each photograph lies and what is told of it, before any pixel is read."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One row of a source."""

    row: int
    name: str
    grade: int | None
    """as told, possible or not; None where nothing is told"""
    content: Path | bytes
    """a file, or encoded bytes"""
    official_side: str | None = None


@dataclass
class Listing:
    """All rows of a source: those that name a photograph, and those that do not, with the reason."""

    records: list[Record] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    """(row, name, reason)"""

    @property
    def rows(self) -> int:
        return len(self.records) + len(self.rejected)
