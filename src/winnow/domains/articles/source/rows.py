"""The rows of files of articles, one after another: JSONL, Parquet, CSV, plain texts; and a folder of these."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyarrow import parquet

from winnow.curate.delimited import lines_of as text_lines
from winnow.curate.delimited import read_delimited
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import open_packed, reading, reason

NEEDED = ("id", "content")
MOST_NAMED = 12
"""Columns of a file that a message lists."""
KNOWN = ("id", "title", "content", "source", "published", "language", "split")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
PARQUET_ROWS = 128
"""read at a time: a file of a few kilobytes may hold one long text a million times"""


def rows_of(form: str, path: Path) -> Iterator[Mapping[str, Any] | str]:
    """The rows of a file of a format, or why one is none; raises SourceError."""
    readers: dict[str, Callable[[Path], Iterator[Mapping[str, Any] | str]]] = {"parquet": parquet_rows, "csv": csv_rows}
    return readers.get(form, jsonl_rows)(path)


def is_csv(path: Path) -> bool:
    """Whether the name is that of a table as text, plain or compressed."""
    return path.name.removesuffix(".gz").lower().endswith((".csv", ".tsv"))


def is_plain(path: Path) -> bool:
    """Whether the file is a text as it is: a .txt that does not begin as JSON does."""
    return path.suffix.lower() == ".txt" and not begins_as_json(path)


def texts_in(folder: Path) -> list[Path]:
    """The .txt files of a folder, by name; those in its folders are not read."""
    return sorted(file for file in folder.iterdir() if file.suffix.lower() == ".txt" and file.is_file())


def begins_as_json(path: Path) -> bool:
    """Whether an object begins the file, perhaps after a byte order mark."""
    with reading(path, "cannot be read", fix="copy it again"), path.open("rb") as file:
        return file.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def csv_rows(path: Path, needed: Sequence[str] = NEEDED) -> Iterator[Mapping[str, Any] | str]:
    """The rows of a CSV by the names of its columns, in small letters; empty cells are left out, numbers are numbers.

    Without a column `id`, where none is `needed`, it is the row's number from 1. Raises SourceError when a column that
    is `needed` is missing.
    """
    header, *lines = read_delimited(path)
    names = [re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_") for name in header]
    names = ["content" if name == "text" and "content" not in names else name for name in names]
    if missing := [name for name in needed if name not in names]:
        raise lacking(path, "column", missing, header)
    for number, cells in enumerate(filter(any, lines), 1):
        if len(cells) != len(names):
            yield f"it has {len(cells)} cells, and the header {len(names)}"
            continue
        filled = {name: cell for name, cell in zip(names, cells, strict=True) if name and cell.strip()}
        numbered = {} if "id" in names else {"id": number}
        yield numbered | {name: cell if name in KNOWN else _number(cell) for name, cell in filled.items()}


def lacking(path: Path, kind: str, missing: Sequence[str], names: Sequence[str]) -> SourceError:
    """The refusal of a file that has the columns (or fields) `names`, and not those that are `missing`."""
    more = f", … ({len(names)} in all)" if len(names) > MOST_NAMED else ""
    renamed = " and ".join(f"one to {name}" for name in missing)
    needed = " and ".join("content (or text)" if name == "content" else name for name in missing)
    return SourceError(
        f"{path} has no {kind} {needed}",
        fix=f"it has {', '.join(names[:MOST_NAMED])}{more}: rename {renamed}, or add what is missing",
    )


def _number(cell: str) -> float | str:
    """The cell as a number, also with the comma that many spreadsheets write."""
    try:
        value = float(cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell)
    except ValueError:
        return cell
    return value if math.isfinite(value) else cell


def jsonl_rows(path: Path) -> Iterator[Mapping[str, Any] | str]:
    """The object of each line that is not blank, or why it is none; a line at a time."""
    return map(json_object, lines_of(path))


def lines_of(path: Path, progress: Callable[[int], object] = lambda _: None) -> Iterator[bytes]:
    """The lines of a file, or of a gzip file, that are not blank; `progress` is told how many bytes of it were read.

    The rows of a CSV are given as such lines, because programs write both, and so is a plain text, as one article, and
    each .txt of a folder. No column `id` is needed.
    """
    if path.is_dir() or is_plain(path):
        for text in texts_in(path) if path.is_dir() else [path]:
            yield json.dumps({"id": text.stem, "content": "".join(text_lines(text))}, ensure_ascii=False).encode()
            progress(text.stat().st_size)
        return
    if is_csv(path):
        for row in csv_rows(path, needed=["content"]):
            yield json.dumps(row, ensure_ascii=False).encode()
        progress(path.stat().st_size)
        return
    with open_packed(path, fix="copy it again; .gz files must be gzip") as (file, raw):
        before = 0
        for line in file:
            progress(raw.tell() - before)
            before = raw.tell()
            if line.strip():
                yield line


def json_object(line: bytes) -> Mapping[str, Any] | str:
    try:
        value = json.loads(line)
    except UnicodeDecodeError:
        return "not valid UTF-8"
    except Exception as error:  # nested too deeply, numbers of thousands of digits
        return f"not valid JSON: {reason(error)}"
    told = f": {value[:200]}" if isinstance(value, str) else ""  # why a row of a CSV is none
    return value if isinstance(value, dict) else f"not a JSON object but {type(value).__name__}{told}"


def parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a Parquet file, a batch at a time; missing values are left out."""
    fix = "write it again"
    with reading(path, "is not a readable Parquet file", fix=fix):
        file = parquet.ParquetFile(path)
        batches = file.iter_batches(batch_size=PARQUET_ROWS)
    names = with_content(dict.fromkeys(file.schema_arrow.names))
    if missing := [name for name in NEEDED if name not in names]:
        raise lacking(path, "column", missing, file.schema_arrow.names)
    while True:
        with reading(
            path, "is not a readable Parquet file", fix=fix
        ):  # dates out of Python's range, zones that nobody knows, bad UTF-8
            batch = next(batches, None)
            rows = batch.to_pylist() if batch is not None else []
        if batch is None:
            return
        yield from ({name: value for name, value in row.items() if value is not None} for row in rows)


def with_content(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A row of which `text` is taken as `content` where there is none."""
    if "text" not in row or row.get("content") not in (None, ""):
        return row
    return {"content" if name == "text" else name: each for name, each in row.items() if name != "content"}
