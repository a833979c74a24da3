"""What every format gives: where each photograph is and what its source says about it, before any pixel is read."""

from dataclasses import dataclass, replace
from pathlib import Path

from winnow.images import listing


@dataclass(frozen=True)
class Record:
    """One row of a source."""

    row: int
    name: str
    grade: int | None
    """as the source gives it, possible or not; None where it gives none"""
    content: Path | bytes
    """a file, or an encoded image"""
    official_split: str | None = None
    patient: str | None = None
    """as the source names whose eye it is; None where it does not"""
    eye: str | None = None
    """`left` or `right`, where the source says so in a column"""

    def anywhere(self) -> "Record":
        """The same for a process in another folder."""
        return replace(self, content=self.content.absolute()) if isinstance(self.content, Path) else self

    def read(self) -> bytes:
        """The encoded image; raises OSError when the file cannot be read."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


Listing = listing.Listing[Record]
Collection = listing.Collection[Record]
