"""`winnow rows` over every domain: the counts are those of the tables, and every case is one of them."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.stages.programs import DATA_STAGES, Programs
from winnow.cli.data import limits_of
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.workspace.rows import CASES, as_lines, case_line, limits_line, rows_of

LEFT_OUT = ("rejected", "dropped", "unlabelled")


def test_rows_are_those_of_the_metrics_and_reasons_those_of_the_tables(domain: Programs) -> None:
    found = rows_of(domain.domain)
    assert tuple(found) == DATA_STAGES
    for stage, told in found.items():
        metrics = domain.metrics(stage)
        counts = dict(told["rows"])
        assert counts.pop("in") == metrics["rows_in"] == sum(counts.values())
        assert counts == {name[5:]: n for name, n in metrics.items() if name.startswith("rows_") and name != "rows_in"}
        left_out = sum(counts.get(name, 0) for name in LEFT_OUT)
        assert sum(entry["rows"] for entry in told["left_out"]) == left_out
    dropped = {entry["reason"]: entry["rows"] for entry in found["filter"]["left_out"]}
    assert dropped == {rule: n for rule, n in domain.metrics("filter").get("dropped", {}).items() if n}


def test_the_first_dropped_rows_are_shown_as_they_were_ingested(domain: Programs) -> None:
    for entry in rows_of(domain.domain, "filter")["filter"]["left_out"]:
        table = domain.table("filter/dropped.parquet")
        (key,) = set(table.columns) - {"rule"}
        expected = table.loc[table["rule"] == entry["reason"], key].head(CASES).tolist()
        assert [case[key] for case in entry["first"]] == expected
        assert all(len(case) > 1 for case in entry["first"]), "what the row says, not its key alone"
        lines = list(as_lines(rows_of(domain.domain, "filter")))
        (place,) = (n for n, line in enumerate(lines) if line.split() == [f"{entry['rows']:,}", entry["reason"]])
        assert all(f"{key} {name}" in line for name, line in zip(expected, lines[place + 1 :], strict=False))


def test_rules_outside_of_params_are_told_with_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / PARAMS_FILE, PARAMS_FILE)
    shutil.copytree(ROOT / "data/source/articles/filters", "data/source/articles/filters")
    file = Path("data/source/articles/filters/uplifting/v1/prefilter.yaml")
    rules = Document(file).content
    told = limits_of("articles")
    assert f"{file}: min_words {rules['min_words']}," in told
    assert all(pattern in told for pattern in rules["drop"]["patterns"])
    file.write_text("min_words: 1\n")
    assert "prefilter" not in limits_of("articles"), "ingest tells of a broken one"


def test_rejected_source_rows_are_told_with_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("data/plants/ingest")
    folder.mkdir(parents=True)
    reasons = ["no height"] * 2 + ["no name"] * 5
    rejected = pd.DataFrame({"source": "garden.csv", "row": range(7), "reason": reasons})
    rejected.to_parquet(folder / "rejected.parquet")
    Path("metrics/plants").mkdir(parents=True)
    Path("metrics/plants/ingest.json").write_text(json.dumps({"rows_in": 9, "rows_kept": 2, "rows_rejected": 7}))
    Path("metrics/plants/filter.json").write_text(json.dumps({"rows_in": 2, "rows_kept": 2, "rows_dropped": 0}))
    found = rows_of("plants")
    assert found["ingest"]["left_out"] == [
        {"reason": "no name", "rows": 5, "first": [{"source": "garden.csv", "row": row} for row in (2, 3, 4)]},
        {"reason": "no height", "rows": 2, "first": [{"source": "garden.csv", "row": row} for row in (0, 1)]},
    ]
    assert found["filter"] == {"rows": {"in": 2, "kept": 2, "dropped": 0}, "left_out": None}
    assert found["label"] == {"rows": None, "left_out": None}
    told = "\n".join(as_lines(found))
    assert "9 rows: 2 kept, 7 rejected" in told
    assert "source garden.csv, row 2" in told
    Path("metrics/plants/ingest.json").write_text(json.dumps({"rows_in": 9, "rows_kept": 4, "rows_rejected": 5}))
    found = rows_of("plants")
    assert found["ingest"]["left_out"] is None, "git checkout brought metrics of another run than that of the tables"
    assert "dvc checkout" in "\n".join(as_lines(found))
    with pytest.raises(WinnowError, match="train is no data stage"):
        rows_of("plants", "train")


def test_reasons_that_differ_in_the_value_alone_are_one_kind_and_tell_the_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/plants/ingest").mkdir(parents=True)
    Path("metrics/plants").mkdir(parents=True)
    reasons = ["no name", "the height is no number: 'tall'", "no name", "the height is no number: 'low'", "no name"]
    rejected = pd.DataFrame({"source": "garden.csv", "row": range(2, 7), "reason": reasons})
    rejected.to_parquet("data/plants/ingest/rejected.parquet")
    Path("metrics/plants/ingest.json").write_text(json.dumps({"rows_in": 5, "rows_kept": 0, "rows_rejected": 5}))
    assert rows_of("plants", "ingest")["ingest"]["left_out"] == [
        {"reason": "no name", "rows": 3, "first": [{"source": "garden.csv", "row": row} for row in (2, 4, 6)]},
        {
            "reason": "the height is no number",
            "rows": 2,
            "first": [{"source": "garden.csv", "row": row, "reason": reasons[row - 2]} for row in (3, 5)],
        },
    ]


def test_numbers_of_a_row_are_short() -> None:
    told = case_line({"sharpness": 22.334365844726562, "width": 80, "skipped": True, "timestamp": 1705972059.5})
    assert told == "sharpness 22.33, width 80, skipped True, timestamp 1705972059.5"


def test_the_limits_of_the_rules_stand_below_what_they_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("plants:\n  filter:\n    min_height: 3\n    name: short\n    more: {deep: 1}\n")
    dropped = {"rows": {"in": 2, "kept": 1, "dropped": 1}, "left_out": [{"reason": "low", "rows": 1, "first": []}]}
    told = list(as_lines({"filter": dropped}, limits_line("plants")))
    assert told[-1].split() == ["plants.filter", "in", "params.yaml:", "min_height", "3,", "name", "short"]
    kept = {"rows": {"in": 1, "kept": 1, "dropped": 0}, "left_out": []}
    assert len(list(as_lines({"filter": kept}, limits_line("plants")))) == 1


def test_many_reasons_are_shortened_and_no_row_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/plants/ingest").mkdir(parents=True)
    Path("metrics/plants").mkdir(parents=True)
    reasons = [f"reason {number}" for number in range(40) for _ in range(40 - number)]
    pd.DataFrame({"row": range(len(reasons)), "reason": reasons}).to_parquet("data/plants/ingest/rejected.parquet")
    counts = {"rows_in": len(reasons), "rows_kept": 0, "rows_rejected": len(reasons)}
    Path("metrics/plants/ingest.json").write_text(json.dumps(counts))
    left_out = rows_of("plants", "ingest")["ingest"]["left_out"]
    assert len(left_out) < 30
    assert [entry["rows"] for entry in left_out[:-1]] == list(range(40, 41 - len(left_out), -1))
    assert sum(entry["rows"] for entry in left_out) == len(reasons)
