"""The real formats, row by row, and what is wrong with files."""

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from winnow.domains.climb.source import app as moonboard_app
from winnow.domains.climb.source import formats
from winnow.domains.climb.source.problems import Problems
from winnow.pipeline.errors import SourceError

WEB = {
    "Name": "Dyno",
    "Grade": "6c+",
    "UserGrade": None,
    "Repeats": 12,
    "IsBenchmark": True,
    "UserRating": 3,
    "Method": "Footless + kickboard",
    "Holdsetup": {"Id": 15},
    "MoonBoardConfiguration": {"Id": 2},
    "Moves": [
        {"Description": "K18", "IsStart": False, "IsEnd": True},
        {"Description": "a5", "IsStart": True, "IsEnd": False},
        {"Description": "C9", "IsStart": False, "IsEnd": False},
    ],
}
APP = {
    "name": "Dyno",
    "grade": "6C+",
    "userGrade": None,
    "repeats": 12,
    "isBenchmark": True,
    "userRating": 3,
    "method": "Footless + kickboard",
    "holdsetup": {"apiId": 15},
    "moonBoardConfigurationId": 2,
    "moves": [
        {"description": "K18", "isStart": False, "isEnd": True},
        {"description": "A5", "isStart": True, "isEnd": False},
        {"description": "C9", "isStart": False, "isEnd": False},
    ],
}
GUIDEBOOK = {
    "name": "Dyno",
    "mb_type": 1,
    "grade": 6,
    "repeats": 12,
    "avg_user_stars": 3.0,
    "start_holds": ["A5"],
    "mid_holds": ["C9"],
    "end_holds": ["K18"],
}
MINIMAL = {"Grade": "6C+", "Moves": ["C9", "A5", "K18"], "UserRating": 3}
ROWS: dict[str, dict[str, Any]] = {"web": WEB, "app": APP, "guidebook": GUIDEBOOK, "minimal": MINIMAL}


def document(form: str, rows: list[Any]) -> Any:
    return {"Data": rows, "Total": len(rows)} if form == "web" else rows


def read(form: str, rows: list[Any], folder: Path) -> Problems:
    path = folder / "file.json"
    path.write_text(json.dumps(document(form, rows)))
    return formats.read(form, path)


@pytest.mark.parametrize("form", ROWS)
def test_each_format_tells_the_same_problem(form: str, tmp_path: Path) -> None:
    found = read(form, [ROWS[form]], tmp_path)
    route = found.routes.iloc[0]
    assert route["grade"] == "6C+"
    assert route["user_rating"] == pytest.approx(3 / (3 if form in ("web", "minimal") else 5))
    assert dict(zip(found.holds["hold"], found.holds["role"], strict=True)) == (
        dict.fromkeys(["C9", "A5", "K18"], "unknown")
        if form == "minimal"
        else {"A5": "start", "C9": "move", "K18": "finish"}
    )
    assert len(found.rejected) == 0
    if form == "minimal":
        assert (route["board"], route["angle"]) == ("2016", 40)
        assert pd.isna(route["repeats"]), "unknown repeats are never 0"
        assert not route["benchmark"]
    else:
        assert (route["board"], route["angle"], route["repeats"]) == ("2017", 25, 12)
        assert route["benchmark"]
        assert route["name"] == "Dyno"


CSV = "board,angle,grade,repeats,is_benchmark,user_rating,holds,start_holds,finish_holds,name"


@pytest.mark.parametrize(
    ("header", "line", "expected"),
    [
        (CSV, "2017,25,6c+,12,True,0.6,C9 A5 K18,A5,K18,Dyno", ("2017", 25, "6C+", 12, True, 0.6, "Dyno")),
        ("Grade; Holds;extra", "6C+;C9,A5,K18;x", ("2016", 40, "6C+", None, False, None, None)),
        ("holds\tgrade\trepeats", "C9 A5 K18\t\t3.0", ("2016", 40, None, 3, False, None, None)),
    ],
)
def test_a_csv_needs_holds_and_grade_and_takes_more(
    header: str, line: str, expected: tuple[object, ...], tmp_path: Path
) -> None:
    file = tmp_path / "problems.csv"
    file.write_text(f"{header}\n\n{line}\n")
    assert formats.guess(file) == "csv"
    found = formats.read("csv", file)
    assert len(found.rejected) == 0
    route = found.routes.iloc[0]
    columns = ["board", "angle", "grade", "repeats", "benchmark", "user_rating", "name"]
    assert [None if pd.isna(value) else value for value in route[columns]] == list(expected)
    roles = {"A5": "start", "C9": "move", "K18": "finish"}
    told = roles if "start_holds" in header else dict.fromkeys(roles, "unknown")
    assert dict(zip(found.holds["hold"], found.holds["role"], strict=True)) == told


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2018,40,6A,1,0,,A5,,,", "unknown board: '2018', not one of 2016, 2017, 2019, 2020"),
        ("2017,30,6A,1,0,,A5,,,", "unknown angle: 30.0"),
        ("2017,0,6A,1,0,,A5,,,", "unknown angle: 0.0"),
        ("2016,25,6A,1,0,,A5,,,", "board 2016 is set at 40° only, not at 25°"),
        ("2017,wide,6A,1,0,,A5,,,", "`angle` is 'wide'"),
        ("2017,40,6A,1.5,0,,A5,,,", "`repeats` is 1.5"),
        ("2017,40,6A,-1,0,,A5,,,", "`repeats` is -1"),
        ("2017,40,6A,1,perhaps,,A5,,,", "`is_benchmark` is 'perhaps'"),
        ("2017,40,6A,1,0,3,A5,,,", "`user_rating` is 3: 0 to 1 stars are expected"),
        ("2017,40,6A,1,0,,,,,", "no moves"),
    ],
)
def test_a_row_of_a_csv_that_cannot_be_used_is_rejected(line: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "problems.csv"
    file.write_text(f"{CSV}\n2017,40,6A,1,0,,A5,,,\n{line}\n")
    found = formats.read("csv", file)
    assert found.routes["row"].tolist() == [2], "the header is line 1"
    assert found.rejected[["row", "reason"]].to_numpy().tolist() == [[3, reason]]


def test_a_csv_without_holds_names_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "problems.csv"
    file.write_text("grade,moves\n6A,A5\n")
    with pytest.raises(SourceError, match="no column holds") as caught:
        formats.read("csv", file)
    assert "grade, moves" in str(caught.value)


def test_what_is_written_for_the_app_is_read_back_as_it_was(tmp_path: Path) -> None:
    """By `app.read`, which the app's own files have tested; and each mark of the file as the app names it."""
    holds = [("A5", "start"), ("C9", "move"), ("K18", "finish")]
    asked = [("2017", 25, "6C+", holds), ("2016", 40, "7A", [*holds[:2], ("F18", "finish")])]
    path = tmp_path / "app.json"
    path.write_text(json.dumps(moonboard_app.document(asked)))
    found = formats.read("app", path)
    assert len(found.rejected) == 0
    assert found.routes[["board", "angle", "grade"]].to_numpy().tolist() == [[*row[:3]] for row in asked]
    for (_, own), (*_, expected) in zip(found.holds.groupby("row"), asked, strict=True):
        assert sorted(zip(own["hold"], own["role"], strict=True)) == sorted(expected)
    assert [row["name"] for row in json.loads(path.read_text())["data"]] == ["winnow 1", "winnow 2"]
    first = json.loads(path.read_text())["data"][0]
    assert first["moonBoardConfigurationId"] == APP["moonBoardConfigurationId"]
    assert first["holdsetup"] == APP["holdsetup"]
    second = json.loads(path.read_text())["data"][1]
    assert second["moonBoardConfigurationId"] == 0, "of 2016, as in all of the app's own rows"
    marks = {move["description"]: (move["isStart"], move["isEnd"]) for move in first["moves"]}
    assert marks == {"A5": (True, False), "C9": (False, False), "K18": (False, True)}


def test_the_app_dump_is_wrapped(tmp_path: Path) -> None:
    path = tmp_path / "dump.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"total": 1, "data": [APP]}).encode()))
    assert formats.read("app", path).routes["name"].tolist() == ["Dyno"]


def test_the_2016_board_has_no_configuration_on_the_web(tmp_path: Path) -> None:
    row = {**WEB, "Holdsetup": {"Id": 1}, "MoonBoardConfiguration": None}
    assert read("web", [row], tmp_path).routes[["board", "angle"]].iloc[0].tolist() == ["2016", 40]


def test_the_2016_board_at_25_degrees_is_rejected(tmp_path: Path) -> None:
    """What `--app` writes of it would be read back at 40°."""
    app = {**APP, "holdsetup": {"apiId": 1}, "moonBoardConfigurationId": 2}
    web = {**WEB, "Holdsetup": {"Id": 1}, "MoonBoardConfiguration": {"Id": 2}}
    for form, row in (("app", app), ("web", web)):
        (reason,) = read(form, [row], tmp_path).rejected["reason"]
        assert reason == "board 2016 is set at 40° only, not at 25°"


@pytest.mark.parametrize(("setup", "board"), [(1, "2016"), (15, "2017"), (17, "2019"), (19, "2020")])
def test_the_app_names_boards_by_their_hold_setup(setup: int, board: str, tmp_path: Path) -> None:
    row = {**APP, "holdsetup": {"apiId": setup}, "moonBoardConfigurationId": 1}
    assert read("app", [row], tmp_path).routes["board"].tolist() == [board]


def test_a_hold_told_twice_counts_once_and_in_its_stronger_role(tmp_path: Path) -> None:
    row = {**GUIDEBOOK, "mid_holds": ["C9", "A5"]}
    holds = read("guidebook", [row], tmp_path).holds
    assert dict(zip(holds["hold"], holds["role"], strict=True)) == {"A5": "start", "C9": "move", "K18": "finish"}


@pytest.mark.parametrize(
    ("written", "grade"), [("6C+/V5", "6C+"), ("V7", "7A+"), ("f6a", "6A"), ("V5", None), ("6C+/V9", None)]
)
def test_a_grade_is_read_as_it_may_be_asked_for(written: str, grade: str | None, tmp_path: Path) -> None:
    file = tmp_path / "problems.csv"
    file.write_text(f"grade,holds\n{written},A5 C9 K18\n")
    tables = [formats.read("csv", file), read("app", [{**APP, "grade": written}], tmp_path)]
    assert [None if pd.isna(table.routes["grade"][0]) else table.routes["grade"][0] for table in tables] == [grade] * 2


@pytest.mark.parametrize("grade", [None, "", "V5"])
def test_an_unknown_grade_is_read_and_left_to_the_filter(grade: str | None, tmp_path: Path) -> None:
    found = read("app", [{**APP, "grade": grade}], tmp_path)
    assert found.routes["grade"].isna().all()
    assert len(found.routes) == 1


def test_an_impossible_cell_is_read_and_left_to_the_filter(tmp_path: Path) -> None:
    assert read("minimal", [{**MINIMAL, "Moves": ["A5", "z99 "]}], tmp_path).holds["hold"].tolist() == ["A5", "Z99"]


@pytest.mark.parametrize(
    ("form", "change", "reason"),
    [
        ("app", {"moves": []}, "no moves"),
        ("app", {"moves": [{"description": 3, "isStart": True, "isEnd": False}]}, "a hold is 3"),
        ("app", {"holdsetup": {"apiId": 99}}, "unknown board: 99"),
        ("app", {"moonBoardConfigurationId": True}, "unknown angle: True"),
        ("app", {"repeats": "many"}, "`repeats` is 'many'"),
        ("app", {"repeats": -1}, "`repeats` is -1"),
        ("web", {"MoonBoardConfiguration": 40}, "`MoonBoardConfiguration` is 40"),
        ("web", {"MoonBoardConfiguration": None}, "board 2017 has several angles, and no configuration says which"),
        ("app", {"moonBoardConfigurationId": 0}, "board 2017 has several angles, and no configuration says which"),
        ("app", {"userRating": 6}, "`userRating` is 6: 0 to 5 stars are expected"),
        ("web", {"Moves": ["A5"]}, "a move is 'A5'"),
        ("web", {"UserRating": 9}, "`UserRating` is 9: 0 to 3 stars are expected"),
        ("guidebook", {"mb_type": 7}, "unknown board: 7"),
        ("guidebook", {"start_holds": [], "mid_holds": [], "end_holds": []}, "no moves"),
        ("guidebook", {"grade": "6A"}, "`grade` is '6A'"),
        ("minimal", {"Moves": None}, "`Moves` is None"),
        ("app", {"name": "half \ud83d"}, "it holds half of a surrogate pair, which is no character"),
        ("minimal", {"Moves": ["A5", "\ud83d"]}, "it holds half of a surrogate pair, which is no character"),
    ],
)
def test_an_unusable_row_is_rejected_with_its_number_and_reason(
    form: str, change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    found = read(form, [ROWS[form], ROWS[form] | change, "text"], tmp_path)
    assert found.routes["row"].tolist() == [1]
    assert found.rejected.to_numpy().tolist() == [[2, reason], [3, "the row is a str, not an object"]]


def test_a_missing_field_is_named(tmp_path: Path) -> None:
    row = {key: value for key, value in APP.items() if key != "repeats"}
    assert read("app", [row], tmp_path).rejected["reason"].tolist() == ["`repeats` is missing"]


@pytest.mark.parametrize("form", ROWS)
@pytest.mark.parametrize("other", ROWS)
def test_another_format_is_recognised(form: str, other: str, tmp_path: Path) -> None:
    if form == other or (form, other) == ("web", "minimal"):
        return
    path = tmp_path / "file.json"
    path.write_text(json.dumps(document(other, [ROWS[other]])))
    with pytest.raises(SourceError, match=r"file.json is not of its `format`") as caught:
        formats.read(form, path)
    assert caught.value.fix.startswith(f"it looks like `{other}`")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.json", b'[{"Grade": "7A", "Mov', r"cut.json is not valid JSON"),
        ("cut.json.gz", gzip.compress(b"[" * 5000, mtime=0)[:-12], r"cut.json.gz cannot be read"),
        ("plain.json.gz", b"[]", r"plain.json.gz cannot be read: Not a gzipped file"),
        ("latin.json", '["é"]'.encode("latin-1"), r"latin.json is not valid JSON"),
        ("deep.json", b"[" * 100_000, r"deep.json is not valid JSON: it is nested too deeply"),
        ("long.json", b'[{"Grade": ' + b"9" * 5000 + b"}]", r"long.json is not valid JSON: Exceeds the limit"),
    ],
)
def test_a_broken_file_is_one_clear_error(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        formats.read("minimal", tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "told", "cure"),
    [
        ("routes.xlsx", b"PK\x03\x04", "is no text: it is an Excel file", "save the table as CSV"),
        ("mine.json", b'{"x": 1}', "looks like none of the formats", "data/source/climb/README.md"),
        ("web.json", b'{"Data": [], "Total": 0}', "is empty: its list holds no problem", "export it again"),
        ("peer.json", b'{"deep": [{"moves": ["E6"]}]}', "looks like none of the formats", "climb.ingest.peers"),
    ],
)
def test_what_is_no_file_of_problems_is_told_with_its_cure(
    name: str, content: bytes, told: str, cure: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=told) as refused:
        formats.guess(tmp_path / name)
    assert cure in str(refused.value.fix)


def test_a_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "ROUTES.CSV").write_text("grade,moves\n")
    assert formats.guess(tmp_path / "ROUTES.CSV") == "csv"
