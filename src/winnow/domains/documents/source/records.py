"""What every format gives: where each page is and what its source says about it, before any pixel is read."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Record:
    """One file, or one drawn page."""

    row: int
    name: str
    """without suffix"""
    content: Path | NDArray[np.uint8]
    """a file, or a drawn page"""
    score: float | None = None
    label: int | None = None
    """number of the class"""
    issues: frozenset[str] | None = None
    """the flagged ones; None where the source says nothing about issues"""


@dataclass
class Listing:
    """All rows of a source: those that name a page, and those that cannot be used, with the reason."""

    records: list[Record] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    """(row, name, reason)"""

    @property
    def rows(self) -> int:
        return len(self.records) + len(self.rejected)
