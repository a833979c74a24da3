"""What every format gives: where each page is and what its source says about it, before any pixel is read."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from winnow.images import listing


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
    document: str = ""
    """that it is a page of, where the source says it"""
    page: str = ""
    """the clean page that it shows, where the source says it"""
    severities: tuple[float, ...] | None = None
    """of the ten issues, where the source says them all"""
    official_split: str | None = None
    readability: float | None = None
    """as an OCR of the user's found it, 0 to 1"""

    def anywhere(self) -> "Record":
        """The same for a process in another folder."""
        return replace(self, content=self.content.absolute()) if isinstance(self.content, Path) else self


Listing = listing.Listing[Record]
Collection = listing.Collection[Record]
