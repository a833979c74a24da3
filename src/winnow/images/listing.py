"""Rows of image sources, before any pixel is read; `Record` is a domain's own description of one image."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from shlex import quote
from typing import Any, Generic, TypeVar

import pandas as pd

from winnow.pipeline.errors import SourceError, WinnowError

Record = TypeVar("Record")

NAME_BYTES = 200
"""Systems take names of 255 bytes."""


@dataclass
class Listing(Generic[Record]):
    """All rows of a source: those that name an image, and those that cannot be used, with the reason."""

    records: list[Record] = field(default_factory=list)
    rejected: list[tuple[int, str, str]] = field(default_factory=list)
    """(row, name, reason)"""

    @property
    def rows(self) -> int:
        return len(self.records) + len(self.rejected)

    @property
    def rejected_share(self) -> float:
        return len(self.rejected) / max(self.rows, 1)


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


def files_below(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files of a folder and its folders that have one of the suffixes (lower case, with their dot), sorted."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in suffixes and file.is_file())


def image_files(paths: Sequence[Path], suffixes: Sequence[str], what: str) -> list[Path]:
    """
    The files that a command line names, each once: files as they are, and of folders what has one of the suffixes.

    Raises WinnowError for a path that does not exist and for a folder without `what` (such as page or photograph).
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = files_below(path, suffixes)
            if not inside:
                raise WinnowError(f"{path} holds no {what}", fix=f"one of {', '.join(suffixes)}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise WinnowError(f"{path} does not exist", fix=f"name a file ({', '.join(suffixes)}) or a folder of them")
    return list(dict.fromkeys(files))


def distinct_names(files: Sequence[Path]) -> dict[Path, str]:
    """A name for what is written of each file: its stem; of those that share one, the whole path, in one word.

    Long ones are cut, so that a suffix can be added.
    """
    shared = Counter(file.stem for file in files)
    names = [file.stem if shared[file.stem] == 1 else one_word(str(file)) for file in files]
    return dict(zip(files, numbered(map(_short, names)), strict=True))


def _short(name: str) -> str:
    while len(os.fsencode(name)) > NAME_BYTES:
        name = name[:-1]
    return name


def spelled(path: Path) -> str:
    r"""The path as text that any table holds: what is no UTF-8 in a name stands as `\xff`."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def one_word(text: str) -> str:
    """The text as a part of a file name: whatever is no letter, digit, `_` or `-` becomes `_`."""
    return re.sub(r"[^\w-]+", "_", text)


def numbered(names: Iterable[str]) -> list[str]:
    """The names, with a number behind those that came before, be it in other capital and small letters."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        tried = chain([name], (f"{name}_{number}" for number in count(2)))
        found.append(next(each for each in tried if each.casefold() not in taken))
        taken.add(found[-1].casefold())
    return found


def check_prefixes(collections: Sequence[Collection[Any]]) -> None:
    """Raises SourceError when two sources would give their images the same ids."""
    prefixes = [collection.prefix for collection in collections]
    if len(set(prefixes)) < len(prefixes):
        last = collections[-1].path
        raise SourceError(
            "two sources have the same file name, which is part of their images' ids",
            where=", ".join(collection.path for collection in collections),
            fix=f"rename one of them; if they are the same data: winnow remove {Path(last).parts[2]} {quote(last)}",
        )


def typed_frame(rows: Sequence[Mapping[str, object]], types: Mapping[str, str]) -> pd.DataFrame:
    """Rows as a table with these columns, in this order, and their types; also without a row."""
    return pd.DataFrame(rows, columns=list(types)).astype(dict(types))
