"""Tables between stages: Parquet with checksums on disk, a pandera schema checked when written and when read."""

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
from pyarrow import parquet

from winnow.pipeline.errors import TableError
from winnow.pipeline.files import atomic_path, maker
from winnow.pipeline.reading import reading

# pandera looks for packages that no table here needs, and imports them with all their plugins where they are installed:
# a third of the time of a small stage. What it imports with the first schema is imported here, while they are hidden.
_hidden = {"dask", "hypothesis"} - sys.modules.keys()
sys.modules.update(dict.fromkeys(_hidden))  # type: ignore[arg-type]
import pandera.backends.pandas.builtin_checks  # noqa: E402
import pandera.typing.dask  # noqa: E402, F401

for _name in _hidden:
    del sys.modules[_name]

SHOWN_FAILURES = 5
ROWS = b"winnow_rows"
"""Key under which a file's metadata tell its number of rows once more."""
PIECE = 2**20
"""Rows of a piece of a table that is read or written a piece at a time; Parquet's row groups have as many."""
WRITING: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}


class Table(pa.DataFrameModel):
    """The contract of one table: exactly these columns, in this order, of these types."""

    class Config:
        strict = True
        ordered = True


def write_table(path: Path, table: pd.DataFrame, schema: type[Table], *, part: int = PIECE) -> None:
    """Check `table` against `schema` and write it atomically; raises TableError.

    Each `part` rows can be read without those before them, see `table_parts`.
    """
    checked = validate(table.reset_index(drop=True), schema, where=str(path))
    with atomic_path(path) as scratch:
        rows = arrow.Table.from_pandas(checked, preserve_index=False)
        with parquet.ParquetWriter(scratch, rows.schema, **WRITING) as writer:
            writer.write_table(rows, row_group_size=part)
            writer.add_key_value_metadata({ROWS: str(len(rows))})


@contextmanager
def table_writer(path: Path, schema: type[Table]) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that adds rows to the table, each time checked against `schema`, so that memory holds one piece.

    The file is there, atomically, when the block ends without an error. Raises TableError.
    """
    arrow_schema = arrow.Schema.from_pandas(schema.empty(), preserve_index=False)
    with atomic_path(path) as scratch, parquet.ParquetWriter(scratch, arrow_schema, **WRITING) as writer:
        count = 0

        def write(piece: pd.DataFrame) -> None:
            nonlocal count
            count += len(piece)
            checked = validate(piece.reset_index(drop=True), schema, where=str(path))
            writer.write_table(arrow.Table.from_pandas(checked, schema=arrow_schema, preserve_index=False))

        yield write
        writer.add_key_value_metadata({ROWS: str(count)})


def read_table(path: Path, schema: type[Table]) -> pd.DataFrame:
    """Read a table and check it against `schema`; raises TableError when missing, unreadable or wrong."""
    if not path.exists():
        raise TableError(f"{path} does not exist", fix=maker(path))
    with reading_parquet(path):
        table = open_parquet(path).read().to_pandas()
    return validate(table, schema, where=str(path))


def reading_parquet(path: Path) -> AbstractContextManager[None]:
    """Raise TableError for whatever is raised in the block, in which a stage's table is read, see `reading`."""
    return reading(
        path, "is not a readable Parquet file", fix="bring it back with `dvc checkout --force`", error=TableError
    )


def parquet_batches(
    path: Path, *, rows: int, columns: list[str], part: int | None = None
) -> Iterator[arrow.RecordBatch]:
    """Some columns of a stage's table, or of a part of it, `rows` at a time; raises TableError."""
    with reading_parquet(path):
        groups = None if part is None else [part]
        batches = open_parquet(path).iter_batches(batch_size=rows, columns=columns, row_groups=groups)
    while True:
        with reading_parquet(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def table_parts(path: Path) -> list[int]:
    """The rows of each part in which a stage's table was written; raises TableError."""
    with reading_parquet(path):
        found = open_parquet(path).metadata
        return [found.row_group(number).num_rows for number in range(found.num_row_groups)]


def table_pieces(path: Path, schema: type[Table]) -> Iterator[pd.DataFrame]:
    """A stage's table, PIECE rows at a time, each checked against `schema`; one piece where it has no row.

    Raises TableError when it is missing, unreadable or wrong.
    """
    if not path.exists():
        raise TableError(f"{path} does not exist", fix=maker(path))
    with reading_parquet(path):
        found = open_parquet(path).schema_arrow
    given = False
    for batch in parquet_batches(path, rows=PIECE, columns=found.names):
        yield validate(arrow.Table.from_batches([batch], found).to_pandas(), schema, where=str(path))
        given = True
    if not given:
        yield validate(found.empty_table().to_pandas(), schema, where=str(path))


def whole_owners(pieces: Iterable[pd.DataFrame], owner: str) -> Iterator[pd.DataFrame]:
    """The rows of pieces that are in the order of the column `owner`, cut anew so that no owner is in two pieces."""
    held: pd.DataFrame | None = None
    for piece in pieces:
        rows = piece
        if held is not None:
            end = int(held[owner].searchsorted(held[owner].iloc[-1]))
            if end:
                yield held[:end].reset_index(drop=True)
            rows = pd.concat([held[end:], piece], ignore_index=True)
        held = rows
    if held is not None:
        yield held


def open_parquet(source: Path | BinaryIO) -> parquet.ParquetFile:
    """A Parquet file whose pages are compared with their checksums when read.

    Raises ArrowInvalid when it has another number of rows than were written: no checksum is of that number.
    """
    file = parquet.ParquetFile(source, page_checksum_verification=True)
    found = file.metadata
    rows = {found.num_rows, sum(found.row_group(number).num_rows for number in range(found.num_row_groups))}
    if rows != {int((found.metadata or {}).get(ROWS, found.num_rows))}:
        raise arrow.ArrowInvalid("it has not as many rows as were written")
    return file


def only_row(table: pd.DataFrame) -> dict[str, Any]:
    """The values of a table that has one row, by column."""
    (row,) = table.to_dict("records")
    return {str(column): value for column, value in row.items()}


def validate(table: pd.DataFrame, schema: type[Table], *, where: str) -> pd.DataFrame:
    """The table, checked; raises TableError naming table, columns and the first offending values."""
    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        failures = error.failure_cases
        lines = [_describe(row) for row in failures.head(SHOWN_FAILURES).to_dict("records")]
        more = len(failures) - len(lines)
        raise TableError(
            f"the table breaks its schema {schema.__name__}: "
            + "; ".join(lines)
            + (f"; and {more} more" if more else ""),
            where=where,
            fix=f"see the columns of {schema.__module__}.{schema.__name__}",
        ) from error


def _describe(failure: dict[Hashable, Any]) -> str:
    where = f" in row {failure['index']}" if pd.notna(failure["index"]) else ""
    column = failure["column"] if pd.notna(failure["column"]) else "table"
    return f"{column}: {failure['check']} fails for {failure['failure_case']!r}{where}"
