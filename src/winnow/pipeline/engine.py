"""Tables larger than memory: SQL over the tables of a stage by DuckDB, which spills to a file what does not fit."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import psutil
import pyarrow as arrow

from winnow.pipeline.errors import TableError
from winnow.pipeline.ledger import state_folder
from winnow.pipeline.tables import PIECE

MEMORY = "1GB"
"""Of the engine's own: what needs more is spilled."""


class Engine:
    """Tables in a database that is gone when its stage ends. Of one order and one thread, so that bytes are equal."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def load(self, name: str, pieces: Iterable[pd.DataFrame]) -> int:
        """Make a table of one piece or more, with the number of each row as `row`; gives its rows."""
        rows = 0
        for piece in pieces:
            numbered = piece.assign(row=range(rows, rows + len(piece)))
            given = self._connection.from_arrow(arrow.Table.from_pandas(numbered, preserve_index=False))
            given.insert_into(name) if rows else given.create(name)
            rows += len(piece)
        return rows

    def run(self, statement: str, *values: object) -> None:
        """Run a statement; its `?` are the values."""
        self._connection.execute(statement, values)

    def number(self, query: str, *values: object) -> int:
        """The one number that a query gives."""
        (value,) = self._connection.execute(query, values).fetchall()[0]
        return int(value)

    def rows(self, query: str, *values: object) -> pd.DataFrame:
        """All rows of a query's result, which fit into memory."""
        found: pd.DataFrame = self._connection.sql(query, params=values).to_arrow_table().to_pandas()
        return found

    def pieces(self, query: str, *values: object) -> Iterator[pd.DataFrame]:
        """The rows of an ordered query's result, PIECE at a time; one piece where there is no row."""
        reader = self._connection.sql(query, params=values).to_arrow_reader(PIECE)
        given = False
        for batch in reader:
            yield batch.to_pandas()
            given = True
        if not given:
            yield reader.schema.empty_table().to_pandas()


@contextmanager
def engine() -> Iterator[Engine]:
    """A database in a folder of its own in `.winnow/`; raises TableError when it runs out of disk or memory."""
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("spilled-*"):
        if not psutil.pid_exists(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)
    own = tempfile.TemporaryDirectory(dir=folder, prefix=f"spilled-{os.getpid()}-", ignore_cleanup_errors=True)
    with own as scratch:
        try:
            with duckdb.connect(
                str(Path(scratch, "tables.duckdb")),
                config={"memory_limit": MEMORY, "threads": 1, "temp_directory": scratch},
            ) as connection:
                yield Engine(connection)
        except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
            raise TableError(
                f"the rows fit neither into {MEMORY} nor beside it on the disk: {str(error).splitlines()[0]}",
                where=str(folder),
                fix="free some space on its disk, then run the same command again",
            ) from None
