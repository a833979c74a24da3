"""A source of a user's own data, as a domain recognised it by looking at files."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from winnow.pipeline.errors import SourceError, WinnowError


@dataclass(frozen=True)
class Setting:
    """A value of a domain's params that its sources need, and why."""

    key: str
    """dotted, below the domain"""
    value: Any
    why: str


@dataclass(frozen=True)
class Needs:
    """What a domain's sources need besides being named; a module `source.needs` says it."""

    settings: tuple[Setting, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
    """new files that Git holds, and their text"""
    told: tuple[str, ...] = ()
    """what a person has to know or to do"""
    before: tuple[str, ...] = ()
    """what a person has to do before the stages can run"""


@dataclass(frozen=True)
class Recognised:
    """An entry of `ingest.sources`, and what belongs to it."""

    source: dict[str, Any]
    """the entry; paths in it are those of the user's files, and may lie in one of the copied folders"""
    copied: tuple[Path, ...]
    """files and folders that are copied, each under its own name"""
    told: str
    """what was seen, such as `web, 120 routes`"""
    preset: str = ""
    """the preset to begin with on such data; empty where the default settings serve"""
    rejected_share: float = 0.0
    """of its rows, those that cannot be used"""


def unknown(path: Path, looked_for: str, errors: Sequence[WinnowError] = ()) -> SourceError:
    """The refusal of a file that is none of a domain's formats, with the first reason of a reader and its cure."""
    looked = f"looked for {looked_for}"
    if not errors:
        return SourceError(f"{path} is not recognised", where=looked)
    first = errors[0]
    why = re.sub(f"^{re.escape(str(path))} (?=is|has|holds|looks|cannot|does)", "it ", first.what)
    return SourceError(
        f"{path} is not recognised: {why}" + (f" ({first.where})" if first.where else ""), where=looked, fix=first.fix
    )


def left_out(rejected: Sequence[tuple[int, str]]) -> str:
    """What is said of the rows (number, reason) that cannot be used: `, 2 rows left out (row 53: no moves, …)`."""
    if not rejected:
        return ""
    (number, first), *_ = rejected
    rows = "1 row" if len(rejected) == 1 else f"{len(rejected):,} rows"
    others = ", …" if len({reason for _, reason in rejected}) > 1 else ""
    return f", {rows} left out (row {number}: {first}{others})"
