"""A table is checked when written and when read, and is either whole on disk or not there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from pandera.typing import Series

from winnow.pipeline.errors import TableError
from winnow.pipeline.tables import Table, read_table, table_writer, write_table


class Songs(Table):
    title: Series[str] = pa.Field(unique=True)
    plays: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0)


def songs(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"title": ["a", "b"], "plays": pd.array([1, None], dtype="Int64"), **columns})


def test_what_is_written_is_read_back_with_its_types(tmp_path: Path) -> None:
    write_table(tmp_path / "songs.parquet", songs(), Songs)
    pd.testing.assert_frame_equal(read_table(tmp_path / "songs.parquet", Songs), songs())


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    write_table(tmp_path / "one.parquet", songs(), Songs)
    write_table(tmp_path / "two.parquet", songs().set_index(pd.Index([7, 9])), Songs)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (songs(plays=pd.array([1, -2], dtype="Int64")), r"plays: greater_than_or_equal_to\(0\) fails for -2 in row 1"),
        (songs(title=["a", "a"]), "title: field_uniqueness fails for 'a'"),
        (songs(title=["a", None]), "title: not_nullable"),
        (songs().drop(columns="plays"), "column_in_dataframe fails for 'plays'"),
        (songs(extra=[1, 2]), "column_in_schema fails for 'extra'"),
        (songs(plays=[1.5, 2.5]), r"plays: dtype\('Int64'\) fails"),
    ],
)
def test_a_table_that_breaks_its_schema_is_not_written(tmp_path: Path, table: pd.DataFrame, told: str) -> None:
    with pytest.raises(TableError, match=told):
        write_table(tmp_path / "songs.parquet", table, Songs)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_another_program_wrote_wrongly_is_refused(tmp_path: Path) -> None:
    songs(title=["a", "a"]).to_parquet(tmp_path / "songs.parquet", index=False)
    with pytest.raises(TableError, match="breaks its schema Songs"):
        read_table(tmp_path / "songs.parquet", Songs)


def test_a_program_that_checks_tables_loads_none_of_the_packages_that_pandera_looks_for() -> None:
    program = """
import sys
import pandas as pd
import pandera.pandas as pa
from winnow.pipeline.tables import Table, validate
class Songs(Table):
    title: str
validate(pd.DataFrame({"title": ["a"]}), Songs, where="here")
loaded = {"dask", "hypothesis", "pytest", "trio"} & sys.modules.keys()
import hypothesis
print(sorted(loaded))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", "each takes a third of the time of a small stage"


def test_a_missing_or_truncated_file_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="does not exist"):
        read_table(tmp_path / "songs.parquet", Songs)
    with pytest.raises(TableError) as caught:
        read_table(Path("data/plants/filter/songs.parquet"), Songs)
    assert "`dvc repro filter@plants`" in caught.value.fix, "without a target all domains would run"
    write_table(tmp_path / "songs.parquet", songs(), Songs)
    (tmp_path / "songs.parquet").write_bytes((tmp_path / "songs.parquet").read_bytes()[:-20])
    with pytest.raises(TableError, match="not a readable Parquet file"):
        read_table(tmp_path / "songs.parquet", Songs)


class Plays(Table):
    title: Series[str]
    score: Series[float]
    plays: Series[int]


@pytest.mark.parametrize("in_pieces", [False, True])
def test_no_flipped_bit_is_read_as_another_value(tmp_path: Path, in_pieces: bool) -> None:
    numbers = np.arange(150)
    table = pd.DataFrame({"title": [f"n{n % 7}" for n in numbers], "score": np.sqrt(numbers), "plays": numbers % 50})
    file = tmp_path / "plays.parquet"
    if in_pieces:
        with table_writer(file, Plays) as write:
            write(table[:90])
            write(table[90:])
    else:
        write_table(file, table, Plays)
    content, told = file.read_bytes(), 0
    for bit in range(0, 8 * len(content), 29):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        file.write_bytes(changed)
        try:
            found = read_table(file, Plays)
        except TableError:
            told += 1
        else:
            assert found.astype(table.dtypes).equals(table), f"bit {bit % 8} of byte {bit // 8} of {len(content)}"
    assert told > 0.15 * len(content), "most of those tried"


def test_a_table_written_in_pieces_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "songs.parquet"
    with table_writer(target, Songs) as write:
        write(songs())
        assert not target.exists()
        write(songs(title=["c", "d"]))
    assert read_table(target, Songs)["title"].tolist() == ["a", "b", "c", "d"]
    with table_writer(tmp_path / "none.parquet", Songs):
        pass
    assert len(read_table(tmp_path / "none.parquet", Songs)) == 0
    with (
        pytest.raises(TableError, match="breaks its schema Songs"),
        table_writer(tmp_path / "bad.parquet", Songs) as write,
    ):
        write(songs())
        write(songs(title=["a", "a"]))
    assert not (tmp_path / "bad.parquet").exists()
