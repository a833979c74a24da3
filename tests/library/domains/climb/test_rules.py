"""What makes a route impossible, and what is learnt about it."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.climbing import longest_move
from winnow.domains.climb import definitions
from winnow.domains.climb.rules.labels import quality_bins, quality_of, tokenise
from winnow.domains.climb.rules.validity import broken_rules, broken_rules_of_generated, longest_moves

GOOD = ("A5 start", "C9 move", "F13 move", "F18 finish")


def tables(*holds: str, board: str = "2016") -> tuple[pd.DataFrame, pd.DataFrame]:
    routes = pd.DataFrame({"route_id": ["r"], "board": [board]})
    told = [tuple(hold.split()) for hold in holds]
    rows = [("r", position, hold, role) for position, (hold, role) in enumerate(told)]
    return routes, pd.DataFrame(rows, columns=["route_id", "position", "hold", "role"])


def broken(*holds: str, board: str = "2016") -> set[str]:
    found = broken_rules_of_generated(*tables(*holds, board=board), min_holds=3, max_holds=5, max_reach=6.0)
    return set(found.columns[found.loc["r"]])


@pytest.mark.parametrize(
    ("holds", "board", "expected"),
    [
        (GOOD, "2016", set()),
        (GOOD, "2020", {"hold_off_board"}),
        ((*GOOD, "L3 move"), "2016", {"hold_off_board"}),
        ((*GOOD, "A0 move"), "2016", {"hold_off_board"}),
        (("A5 start", "C9 move", "D12 finish"), "2020", set()),
        (("A5 start", "C9 move", "A13 finish"), "2020", {"hold_off_board"}),
        (GOOD[:2], "2016", {"too_few_holds", "no_finish"}),
        ((), "2016", {"too_few_holds"}),
        ((*GOOD, "B6 move", "C7 move"), "2016", {"too_many_holds"}),
        (("A5 move", *GOOD[1:]), "2016", {"no_start"}),
        (("A5 unknown", "C9 unknown", "D13 unknown"), "2016", set()),
        ((*GOOD, "C9 move"), "2016", {"repeated_hold"}),
        (("A5 start", "C9 move", "F18 finish"), "2016", {"out_of_reach"}),
    ],
)
def test_each_rule_is_found(holds: tuple[str, ...], board: str, expected: set[str]) -> None:
    assert broken(*holds, board=board) == expected


def test_real_routes_are_not_judged_by_reach() -> None:
    routes, holds = tables("A5 start", "C9 move", "F18 finish")
    assert not broken_rules(routes, holds, min_holds=3, max_holds=5).to_numpy().any()


def test_the_longest_move_is_from_the_nearest_lower_hold() -> None:
    for holds, cells in (("A1 A2 E2 E18", 16), ("A5 D9", 5), ("A5", 0)):
        assert longest_moves(tables(*(f"{hold} move" for hold in holds.split()))[1]).tolist() == [cells]


CELLS = st.lists(st.sampled_from(range(definitions.CELLS)), min_size=1, max_size=14, unique=True)


@given(st.lists(CELLS, min_size=1, max_size=5))
def test_the_longest_moves_of_a_table_are_those_of_its_routes(routes: list[list[int]]) -> None:
    rows = [
        (f"r{number}", position, definitions.cell_name(cell))
        for number, cells in enumerate(routes)
        for position, cell in enumerate(cells)
    ]
    holds = pd.DataFrame(rows, columns=["route_id", "position", "hold"]).sample(frac=1, random_state=0)
    found = longest_moves(holds)
    for number, cells in enumerate(routes):
        assert found[f"r{number}"] == pytest.approx(longest_move(cells))


def test_quality_bins_begin_at_their_bounds_and_unknown_is_a_bin() -> None:
    repeats = pd.Series([0, 9, 10, 99, 100, None], dtype="Int64")
    assert quality_of(repeats, quality_bins(medium_from=10, high_from=100)).tolist() == [
        "low",
        "low",
        "medium",
        "medium",
        "high",
        "unknown",
    ]


def test_tokens_are_told_bottom_up_and_left_to_right() -> None:
    holds = pd.DataFrame({"route_id": ["b", "a", "a", "a"], "hold": ["A1", "K18", "B2", "A2"]})
    assert tokenise(holds).to_numpy().tolist() == [["a", 0, 11], ["a", 1, 12], ["a", 2, 197], ["b", 0, 0]]
