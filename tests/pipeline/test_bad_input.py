"""A person's mistake: one clear message, an exit code, and every earlier result where it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import Clone

FIRST_STAGES = ("data/climb/ingest", "data/climb/filter", "data/climb/label", "data/climb/split", "data/climb/weight")


def refused(clone: Clone, *, target: str = "plot@climb") -> str:
    """What a person reads when `dvc repro` fails."""
    done = clone.run("dvc", "repro", target, expect=None)
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert "Traceback" not in told
    assert told.count("error in ") == 1
    return told


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  plot:", "  plto:", "unknown key `climb.plto`; did you mean `plot`?"),
        ("    min_repeats: ", "    min_repeat: ", "unknown key `climb.filter.min_repeat`; did you mean `min_repeats`?"),
        (
            "    learning_rate: ",
            "    learning_rate: fast # ",
            "`climb.train.learning_rate` is 'fast': input should be a valid number",
        ),
        (
            "    weight_decay: ",
            "    weight_decay: -1 # ",
            "`climb.train.weight_decay` is -1: input should be greater than",
        ),
    ],
)
def test_a_mistake_in_a_later_section_touches_nothing(clone: Clone, old: str, new: str, message: str) -> None:
    params = clone.root / "params.yaml"
    text = params.read_text()
    assert old in text
    params.write_text(text.replace(old, new, 1))
    before = clone.hashes("data/climb", "metrics")
    assert message in refused(clone)
    assert clone.hashes("data/climb", "metrics") == before


def problem(name: str, moves: list[tuple[str, str]], **fields: Any) -> dict[str, Any]:
    """A row as moonboard.com gives it."""
    return {
        "Method": "Feet follow hands", "Name": name, "Grade": "6B+", "UserGrade": None, "UserRating": 3, "Repeats": 30,
        "MoonBoardConfiguration": {"Id": 1, "Description": "40° MoonBoard"}, "IsBenchmark": False,
        "Holdsetup": {"Id": 15, "Description": "MoonBoard Masters 2017"},
        "Moves": [{"Id": i, "Description": h, "IsStart": r == "start", "IsEnd": r == "end"} for i, (h, r) in enumerate(moves)],  # noqa: E501
        "Setter": {"Id": "s"}, "Id": 1, "ApiId": 1, "Rating": 0, "DateInserted": "/Date(1490000000000)/",
        **fields,
    }  # fmt: skip


def export(count: int) -> dict[str, Any]:
    """A valid export of `count` different problems."""
    columns = "ABCDEFGHIJK"
    rows = [
        problem(
            f"P{index}",
            [(f"{columns[index % 11]}5", "start"), (f"{columns[(index // 11) % 11]}9", "move"),
             (f"{columns[(index // 121) % 11]}13", "move"), (f"{columns[index % 11]}18", "end")],
            Grade=("6B", "6B+", "7A")[index % 3], Repeats=(3, 30, 300)[index % 3],
        )
        for index in range(count)
    ]  # fmt: skip
    return {"Data": rows, "Total": count, "AggregateResults": None, "Errors": None}


def with_source(clone: Clone, content: str | None, path: str = "data/source/climb/mine.json", **overrides: Any) -> Path:
    file = clone.root / path
    if content is not None:
        file.write_text(content)
    clone.override({"climb.ingest.sources": [{"format": "web", "path": path}], **overrides})
    return file


@pytest.mark.parametrize(
    ("content", "path", "message"),
    [
        (None, "data/source/climb/mine.json", "data/source/climb/mine.json does not exist"),
        ("{}", "data/mine.json", "lies outside data/source/climb"),
        (json.dumps(export(5))[:-60], "data/source/climb/mine.json", "mine.json"),
    ],
    ids=["missing", "outside", "truncated"],
)
def test_a_source_that_cannot_be_used(clone: Clone, content: str | None, path: str, message: str) -> None:
    with_source(clone, content, path)
    later = [f"data/climb/{stage}" for stage in ("filter", "label", "split", "weight", "train", "evaluate", "plot")]
    before = clone.hashes(*later)
    assert message in refused(clone)
    assert clone.hashes(*later) == before
    clone.run("git", "checkout", "-q", "params.yaml", "metrics/climb")
    clone.run("dvc", "checkout", "ingest@climb")
    clone.run("dvc", "repro", "plot@climb")


def test_an_empty_table_after_filtering(clone: Clone) -> None:
    with_source(clone, json.dumps(export(20)), **{"climb.common.boards": ["2016"]})
    message = refused(clone)
    assert "no row is left after filtering" in message
    rows = json.loads((clone.root / "metrics/climb/ingest.json").read_text())
    assert rows["rows_kept"] == 20


def test_bad_rows_are_counted_and_the_rest_goes_on(clone: Clone) -> None:
    data = export(300)
    data["Data"] += [
        problem("unknown grade", [("A5", "start"), ("B9", "move"), ("C18", "end")], Grade="??"),
        problem("impossible cell", [("Z5", "start"), ("B9", "move"), ("C18", "end")]),
        problem("lone stratum", [("K5", "start"), ("A9", "move"), ("K18", "end")], Grade="8A"),
    ]
    with_source(clone, json.dumps(data))
    clone.run("dvc", "repro", "weight@climb")
    dropped = json.loads((clone.root / "metrics/climb/filter.json").read_text())["dropped"]
    assert dropped["unknown_grade"] == 1
    assert dropped["hold_off_board"] == 1
    split = json.loads((clone.root / "metrics/climb/split.json").read_text())
    assert "8A" in {name.partition("_")[0] for name in split["strata_merged"]}
    assert split["rows_train"] + split["rows_val"] + split["rows_test"] == 301
