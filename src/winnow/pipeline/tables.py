"""Tables between stages: Parquet on disk, a pandera schema checked when written and when read."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
from pyarrow import parquet

from winnow.pipeline.errors import TableError
from winnow.pipeline.files import atomic_path

SHOWN_FAILURES = 5


class Table(pa.DataFrameModel):
    """The contract of one table: exactly these columns, in this order, of these types."""

    class Config:
        strict = True
        ordered = True


def write_table(path: Path, table: pd.DataFrame, schema: type[Table]) -> None:
    """Check `table` against `schema` and write it atomically; raises TableError."""
    checked = validate(table.reset_index(drop=True), schema, where=str(path))
    with atomic_path(path) as scratch:
        parquet.write_table(arrow.Table.from_pandas(checked, preserve_index=False), scratch, compression="zstd")


@contextmanager
def table_writer(path: Path, schema: type[Table]) -> Iterator[Callable[[pd.DataFrame], None]]:
    """A function that adds rows to the table, each time checked against `schema`, so that memory holds one piece.

    The file is there, atomically, when the block ends without an error. Raises TableError.
    """
    arrow_schema = arrow.Schema.from_pandas(schema.empty(), preserve_index=False)
    with atomic_path(path) as scratch, parquet.ParquetWriter(scratch, arrow_schema, compression="zstd") as writer:

        def write(piece: pd.DataFrame) -> None:
            checked = validate(piece.reset_index(drop=True), schema, where=str(path))
            writer.write_table(arrow.Table.from_pandas(checked, schema=arrow_schema, preserve_index=False))

        yield write


def read_table(path: Path, schema: type[Table]) -> pd.DataFrame:
    """Read a table and check it against `schema`; raises TableError when missing, unreadable or wrong."""
    if not path.exists():
        raise TableError(f"{path} does not exist", fix="run the stage that makes it: `dvc repro`, or `dvc checkout`")
    try:
        table = parquet.read_table(path).to_pandas()
    except (arrow.ArrowException, OSError) as error:
        raise TableError(
            f"{path} is not a readable Parquet file ({error})", fix="bring it back with `dvc checkout --force`"
        ) from error
    return validate(table, schema, where=str(path))


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
