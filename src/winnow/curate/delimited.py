"""Tables that people save as text: CSV with commas, semicolons or tabs, in the encodings that programs write."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from winnow.pipeline.console import say
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import open_packed, read_packed, reading

DELIMITERS = ",;\t"
SIGNATURES = {b"PK": "an Excel file or another archive", b"\xd0\xcf": "an old Excel file", b"%P": "a PDF"}
"""What a file that is no text begins with."""
UTF_16 = {b"\xff\xfe", b"\xfe\xff"}
"""The byte order marks."""
FIX = "save the table as CSV in UTF-8"


def read_delimited(
    path: Path, *, delimiter: str | None = None, plain_tabs: bool = False, skip_blanks: bool = False
) -> list[list[str]]:
    """The cells of each line, the header first; a file with nothing in it has an empty header.

    Compressed when the name ends in .gz. UTF-8, or UTF-16 with a byte order mark; anything else is read as
    Windows-1252, and said. The delimiter is `delimiter` if the first line has it, else the one that it has most of;
    with `plain_tabs` quotes between tabs are part of the text, with `skip_blanks` blanks after a delimiter are none.
    Raises SourceError.
    """
    content = read_packed(path, fix="name a CSV file, plain or .csv.gz")
    _check_kind(path, content)
    text = _decoded(path, content)
    if "\0" in text:
        raise SourceError(f"{path} is no CSV file: it holds bytes that are no text", fix=FIX)
    first = text.partition("\n")[0]
    _check_first(path, first)
    if delimiter is None or delimiter not in first:
        delimiter = delimiter_of(first)
    lines = io.StringIO(text, newline="")
    plain = plain_tabs and delimiter == "\t"
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL,
        skipinitialspace=skip_blanks,
    )
    with reading(path, "is no CSV file", fix=FIX):
        try:
            return [*reader] or [[]]
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from None


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a table of any size, one at a time, in the encodings that `read_delimited` knows.

    A line that is not UTF-8 is read as Windows-1252, and the first one is said. Raises SourceError.
    """
    with open_packed(path, fix="name a CSV file, plain or .csv.gz") as (file, _):
        start = file.peek(2)[:2] if isinstance(file, io.BufferedReader) else b""
        _check_kind(path, start)
        if start in UTF_16:
            yield from io.TextIOWrapper(file, encoding="utf-16", errors="replace")
            return
        told = False
        for number, line in enumerate(io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape"), 1):
            if number == 1:
                _check_first(path, line)
            if line.isascii() or _is_whole(line):
                yield line
                continue
            if not told:
                say(f"{path} is not UTF-8 (line {number}) and is read as Windows-1252: check its accents")
                told = True
            yield line.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def delimiter_of(header: str) -> str:
    """The delimiter that a header has most of."""
    return max(DELIMITERS, key=header.count)


def _is_whole(line: str) -> bool:
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_text(path: Path) -> None:
    """Raise SourceError for a file that begins as no text does, whatever format is looked for."""
    with reading(path, "cannot be read", fix="copy it again"), path.open("rb") as file:
        _check_kind(path, file.read(8), "no text")


def _check_kind(path: Path, content: bytes, wanted: str = "no CSV file") -> None:
    """Raise SourceError for what begins as no text does."""
    if kind := next((kind for start, kind in SIGNATURES.items() if content.startswith(start)), None):
        raise SourceError(f"{path} is {wanted}: it is {kind}", fix=FIX)


def _check_first(path: Path, line: str) -> None:
    """Raise SourceError for a first line that only Excel understands, such as `sep=;`, and one that is no text."""
    if re.fullmatch(r"sep=.?\s*", line):
        raise SourceError(f"{path} begins with the line {line.strip()!r}, not with its header", fix="remove that line")
    if "\0" in line:
        raise SourceError(f"{path} is no CSV file: it holds bytes that are no text", fix=FIX)


def _decoded(path: Path, content: bytes) -> str:
    if content[:2] in UTF_16:
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        say(f"{path} is not UTF-8 (line {line}) and is read as Windows-1252: check its accents")
        return content.decode("cp1252", "replace")
