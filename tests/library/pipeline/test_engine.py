"""SQL over tables that do not fit into memory."""

import os
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from winnow.pipeline import engine
from winnow.pipeline.errors import TableError

ROWS = pd.DataFrame({"key": [f"{number % 97:03d}" * 20 for number in range(60_000)], "value": range(60_000)})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path / ".winnow"


def test_pieces_are_one_table_in_the_order_of_their_rows() -> None:
    with engine.engine() as tables:
        assert tables.load("rows", [ROWS[:10], ROWS[10:11], ROWS[11:]]) == len(ROWS)
        found = tables.rows("select key, value, row from rows order by row")
        pd.testing.assert_frame_equal(found, ROWS.assign(row=range(len(ROWS))))
        assert tables.number("select sum(value) from rows where value < ?", 10) == 45


def test_results_come_a_piece_at_a_time_and_one_without_rows_is_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PIECE", 4096)
    with engine.engine() as tables:
        tables.load("rows", [ROWS])
        pieces = list(tables.pieces("select value from rows order by value desc"))
        assert [len(each) for each in pieces[:-1]] == [4096] * (len(ROWS) // 4096)
        assert pd.concat(pieces)["value"].tolist() == [*reversed(range(len(ROWS)))]
        (nothing,) = tables.pieces("select key, value from rows where value < 0 order by value")
        assert (len(nothing), [*nothing]) == (0, ["key", "value"])


def test_what_does_not_fit_is_spilled_and_what_was_spilled_is_gone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "MEMORY", "32MB")
    rows = pd.concat([ROWS] * 20, ignore_index=True)
    with engine.engine() as tables:
        tables.load("rows", [rows])
        pieces = tables.pieces("select key, value from rows order by value, key")
        seen = [next(pieces)]
        spilled = [file.name for file in folder.glob("spilled-*/*") if not file.name.startswith("tables.duckdb")]
        assert spilled, "nothing was spilled"
        seen.extend(pieces)
    expected = rows.sort_values(["value", "key"], ignore_index=True)
    pd.testing.assert_frame_equal(pd.concat(seen, ignore_index=True), expected)
    assert not list(folder.glob("spilled-*"))


def test_too_little_memory_and_disk_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "MEMORY", "2MB")
    with (
        pytest.raises(
            TableError, match="the rows fit neither into 2MB nor beside it on the disk: Out of Memory Error"
        ) as told,
        engine.engine() as tables,
    ):
        tables.load("rows", [pd.concat([ROWS] * 10)])
        tables.rows("select key, value from rows order by value, key")
    assert str(folder) in told.value.where
    assert "free some space" in told.value.fix


def test_what_a_killed_program_spilled_is_removed_and_that_of_a_running_one_stays(folder: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left, used = folder / f"spilled-{ended.pid}-abc", folder / f"spilled-{os.getppid()}-abc"
    left.mkdir(parents=True)
    used.mkdir()
    with engine.engine():
        assert (left.exists(), used.exists()) == (False, True)
