"""Merging: one row per problem, the richest fields, and every conflict counted."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from winnow.domains.climb.source.merge import SourceFile, merge
from winnow.domains.climb.source.problems import Problem, to_problems

EMPTY = Problem("2016", 40, None, None, False, None, None, None, [])


def file(form: str, path: str, *problems: Problem, rejected: int = 0) -> SourceFile:
    usable = list(enumerate(problems))
    faulty = [(len(usable) + number, "no moves") for number in range(rejected)]
    return SourceFile(form, path, to_problems(usable, faulty))


def holds(cells: str, role: str = "unknown") -> list[tuple[str, str]]:
    return [(cell, role) for cell in cells.split()]


MINIMAL = EMPTY._replace(grade="7B", user_rating=0.4, holds=holds("F18 A5 C9"))
APP = EMPTY._replace(grade="7A", repeats=20, benchmark=True, name="Dyno", holds=holds("A5 C9 F18", "move"))
GUIDEBOOK = APP._replace(grade="7C", repeats=30, user_rating=0.9, name="DYNO")


def test_the_same_problem_becomes_one_row_with_the_richest_fields() -> None:
    found = merge([file("minimal", "m", MINIMAL), file("guidebook", "g", GUIDEBOOK), file("app", "a", APP)])
    assert len(found.routes) == 1
    route = found.routes.iloc[0]
    assert route["source"] == "app+guidebook+minimal"
    assert route["grade"] == "7A", "the grade is the app's"
    assert route["repeats"] == 30, "repeats only grow"
    assert route["user_rating"] == 0.9, "the first that is known"
    assert route["name"] == "Dyno"
    assert route["benchmark"]
    assert found.holds["hold"].tolist() == ["A5", "C9", "F18"]
    assert found.holds["role"].tolist() == ["move"] * 3, "from a source that tells roles"
    assert found.in_both == {"app+guidebook": 1, "app+minimal": 1, "guidebook+minimal": 1}
    assert found.grade_conflicts == {
        "app": 0,
        "guidebook": 0,
        "minimal": 0,
        "app+guidebook": 1,
        "app+minimal": 1,
        "guidebook+minimal": 1,
    }


def test_each_field_is_the_first_known_in_the_order_of_the_formats() -> None:
    forms = ("app", "web", "guidebook", "minimal")
    files = [file(form, form, EMPTY._replace(name=form, holds=holds("A5 F18"))) for form in forms]
    for number, form in enumerate(forms):
        assert merge(files[number:]).routes["name"].tolist() == [form]
    route = merge(files).routes.iloc[0]
    assert route["source"] == "app+web+guidebook+minimal"


def test_a_benchmark_of_any_source_is_one() -> None:
    known = MINIMAL._replace(benchmark=True)
    assert (
        merge([file("app", "a", APP._replace(benchmark=False)), file("guidebook", "g", known)])
        .routes["benchmark"]
        .all()
    )
    assert not merge([file("minimal", "m", MINIMAL)]).routes["benchmark"].any()


def test_another_angle_is_another_problem_of_the_same_hold_set() -> None:
    routes = merge([file("app", "a", APP, APP._replace(angle=25))]).routes
    assert routes["route_id"].nunique() == 2
    assert len(set(routes["hold_set"])) == 1


def test_the_same_holds_on_another_board_are_another_hold_set() -> None:
    assert merge([file("app", "a", APP, APP._replace(board="2017"))]).routes["hold_set"].nunique() == 2


def test_several_grades_in_one_format_are_a_conflict_only_where_no_grade_is_shared() -> None:
    found = merge([file("app", "a", APP), file("minimal", "m", MINIMAL, MINIMAL._replace(grade="7A"))])
    assert found.grade_conflicts == {"app": 0, "minimal": 1, "app+minimal": 0}


def test_an_unknown_grade_is_taken_from_the_next_source_and_is_no_conflict() -> None:
    found = merge([file("app", "a", APP._replace(grade=None)), file("minimal", "m", MINIMAL)])
    assert found.routes["grade"].tolist() == ["7B"]
    assert found.grade_conflicts["app+minimal"] == 0


def test_unknown_repeats_stay_unknown() -> None:
    assert merge([file("minimal", "m", MINIMAL)]).routes["repeats"].isna().all()


def test_impossible_cells_come_last() -> None:
    route = EMPTY._replace(holds=holds("Z9 K1 A5 A18"))
    assert merge([file("minimal", "m", route)]).holds["hold"].tolist() == ["K1", "A5", "A18", "Z9"]


def test_a_file_without_a_usable_row_adds_no_route() -> None:
    assert len(merge([file("app", "b", rejected=2), file("minimal", "a", MINIMAL, rejected=1)]).routes) == 1


@given(st.permutations(range(4)), st.lists(st.sampled_from(["A5 C9", "C9 A5", "A5 K18", "B2"]), min_size=4, max_size=4))
def test_the_order_of_files_does_not_matter_and_all_rows_are_accounted_for(order: list[int], cells: list[str]) -> None:
    files = [
        file("minimal", "m1", MINIMAL._replace(holds=holds(cells[0])), rejected=1),
        file("minimal", "m2", MINIMAL._replace(holds=holds(cells[1]), grade="8A")),
        file("app", "a", APP._replace(holds=holds(cells[2], "move"))),
        file("web", "w", APP._replace(holds=holds(cells[3], "start"), repeats=None)),
    ]
    first, second = merge(files), merge([files[index] for index in order])
    pd.testing.assert_frame_equal(first.routes, second.routes)
    pd.testing.assert_frame_equal(first.holds, second.holds)
    assert first.grade_conflicts == second.grade_conflicts
    assert len(first.routes) == len({frozenset(told.split()) for told in cells})
    assert set(first.holds["route_id"]) == set(first.routes["route_id"])
