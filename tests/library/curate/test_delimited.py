"""CSV files as people save them: encodings, delimiters, and files that are something else."""

import gzip
from pathlib import Path

import pytest

from winnow.curate.delimited import read_delimited
from winnow.pipeline.errors import SourceError

ROWS = [["name", "note"], ["crème", "a, b; c"], ["", "zwei\nZeilen"]]


def written(delimiter: str) -> str:
    return f'name{delimiter}note\r\ncrème{delimiter}"a, b; c"\r\n{delimiter}"zwei\nZeilen"\r\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_encoding_and_delimiter_gives_the_same_rows(
    encoding: str, delimiter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(written(delimiter).encode(encoding))
    assert read_delimited(file) == ROWS
    told = capsys.readouterr().err
    assert ("table.csv is not UTF-8 (line 2)" in told) == (encoding == "cp1252"), told
    packed = tmp_path / "table.csv.gz"
    packed.write_bytes(gzip.compress(written(delimiter).encode(encoding)))
    assert read_delimited(packed) == ROWS


def test_an_empty_file_has_an_empty_header(tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_bytes(b"")
    assert read_delimited(file) == [[]]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PK\x03\x04rest", "an Excel file"),
        (b"\xd0\xcf\x11\xe0rest", "an old Excel file"),
        (b"%PDF-1.7", "a PDF"),
        (b"name,note\na\0b,c\n", "bytes that are no text"),
        (b"name\n" + b"x" * 200_000 + b"\n", "field larger than field limit"),
    ],
)
def test_what_is_no_table_is_one_clear_error(content: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=problem) as caught:
        read_delimited(file)
    assert "table.csv" in str(caught.value)
    assert "CSV" in str(caught.value)


# A gzip header holds the time: named cases, so that every worker of pytest-xdist collects the same tests.
@pytest.mark.parametrize(
    "content", [b"no gzip", gzip.compress(b"name\n" * 99, mtime=0)[:-9]], ids=["no-gzip", "cut-short"]
)
def test_a_damaged_archive_is_one_clear_error(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "table.csv.gz"
    file.write_bytes(content)
    with pytest.raises(SourceError, match="cannot be read"):
        read_delimited(file)
