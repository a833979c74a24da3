"""Tables that people save as text: CSV with commas, semicolons or tabs, in the encodings that programs write."""

import csv
import io
from pathlib import Path

from winnow.pipeline.console import say
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import read_packed, reading

DELIMITERS = ",;\t"
SIGNATURES = {b"PK": "an Excel file or another archive", b"\xd0\xcf": "an old Excel file", b"%P": "a PDF"}
"""What a file that is no text begins with."""


def read_delimited(path: Path, *, delimiter: str | None = None, plain_tabs: bool = False) -> list[list[str]]:
    """The cells of each line, the header first; a file with nothing in it has an empty header.

    Compressed when the name ends in .gz. UTF-8, or UTF-16 with a byte order mark; anything else is read as
    Windows-1252, and said. The delimiter is `delimiter` if the first line has it, else the one that it has most of;
    with `plain_tabs` quotes between tabs are part of the text. Raises SourceError.
    """
    content = read_packed(path, fix="name a CSV file, plain or .csv.gz")
    if kind := next((kind for start, kind in SIGNATURES.items() if content.startswith(start)), None):
        raise SourceError(f"{path} is no CSV file: it is {kind}", fix="save the table as CSV in UTF-8")
    text = _decoded(path, content)
    if "\0" in text:
        raise SourceError(f"{path} is no CSV file: it holds bytes that are no text", fix="save the table as CSV")
    first = text.partition("\n")[0]
    if delimiter is None or delimiter not in first:
        delimiter = max(DELIMITERS, key=first.count)
    lines = io.StringIO(text, newline="")
    plain = plain_tabs and delimiter == "\t"
    with reading(path, "is no CSV file", fix="save the table as CSV in UTF-8"):
        return [*csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)] or [[]]


def _decoded(path: Path, content: bytes) -> str:
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        say(f"{path} is not UTF-8 (line {line}) and is read as Windows-1252: check its accents")
        return content.decode("cp1252", "replace")
