"""A source of a user's own data, as a domain recognised it by looking at files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winnow.pipeline.errors import SourceError, WinnowError


@dataclass(frozen=True)
class Recognised:
    """An entry of `ingest.sources`, and what belongs to it."""

    source: dict[str, Any]
    """the entry; paths in it are those of the user's files, and may lie in one of the copied folders"""
    copied: tuple[Path, ...]
    """files and folders that are copied, each under its own name"""
    told: str
    """what was seen, such as `web, 120 routes`"""


def unknown(path: Path, looked_for: str, errors: Sequence[WinnowError] = ()) -> SourceError:
    """The refusal of a file that is none of a domain's formats, with the first reason that a reader gave."""
    why = f": {errors[0].what}" if errors else ""
    return SourceError(
        f"{path} is not recognised{why}", where=f"looked for {looked_for}", fix="see data/source/*/README.md"
    )
