import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.domains.climb import definitions
from winnow.domains.climb.asked import Asked
from winnow.pipeline.errors import WinnowError


@given(st.integers(0, definitions.CELLS - 1))
def test_names_and_cells(cell: int) -> None:
    assert definitions.cell_index(definitions.cell_name(cell)) == cell
    assert definitions.cell_name(cell).endswith(str(definitions.row_of(cell)))


def route(*holds: str) -> list[int]:
    return sorted(definitions.cell_index(hold) for hold in holds)


@pytest.mark.parametrize(
    ("holds", "board", "roles"),
    [
        (["E5", "C6", "D12", "F18"], "2016", ["start", "start", "move", "finish"]),
        (["E5", "C7", "D12", "F18", "H18"], "2016", ["start", "move", "move", "finish", "finish"]),
        (["E3", "C4", "D6", "F12"], "2020", ["start", "start", "move", "finish"]),
        (["E7", "F17"], "2016", ["move", "move"]),
    ],
)
def test_roles_from_the_holds(holds: list[str], board: str, roles: list[str]) -> None:
    assert definitions.infer_roles(route(*holds), board) == roles


def test_roles_agree_with_the_app_where_it_tells_them(shared_data: Path) -> None:
    told = json.loads(gzip.decompress((shared_data / "climb" / "app_benchmarks_2016-40.json.gz").read_bytes()))
    right = count = 0
    for problem in told:
        known = {
            definitions.cell_index(move["description"]): "start"
            if move["isStart"]
            else "finish"
            if move["isEnd"]
            else "move"
            for move in problem["moves"]
        }
        cells = sorted(known)
        guessed = definitions.infer_roles(cells, "2016")
        right += sum(guess == known[cell] for guess, cell in zip(guessed, cells, strict=True))
        count += len(cells)
    assert right / count > 0.98


@pytest.mark.parametrize(
    ("asked", "font"), [("6c+", "6C+"), ("f7a+", "7A+"), ("6C+/V5", "6C+"), (" v7 ", "7A+"), ("V14", "8B+")]
)
def test_a_grade_may_be_asked_for_as_climbers_write_it(asked: str, font: str) -> None:
    assert Asked.of(grade=asked).grade == font


@pytest.mark.parametrize("asked", ["6C+/V9", "6C+/nonsense", "6C+/6C"])
def test_two_grades_that_are_not_one_are_refused(asked: str) -> None:
    with pytest.raises(WinnowError, match=r"is not one grade: 6C\+ is V5 on the V scale"):
        Asked.of(grade=asked)


def test_a_board_is_asked_for_at_an_angle_that_it_has() -> None:
    with pytest.raises(WinnowError, match="there is no board 2016 at 25") as error:
        Asked.of(grade="6C", board="2016", angle=25)
    assert error.value.fix == "name 40"
    assert Asked.of(grade="6C", board="2017", angle=25).angle == 25


def test_a_v_grade_of_two_font_grades_names_both() -> None:
    with pytest.raises(WinnowError, match=r"V5 is 6C or 6C\+"):
        Asked.of(grade="V5")
    assert [font for fonts in definitions.FONT_OF_V.values() for font in fonts] == list(definitions.GRADES)
