"""Filtering: one reason a row, the first rule's."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.curate.filters import Rule, apply_rules, check_not_empty, rule_counts
from winnow.pipeline.errors import TableError

RULES = [Rule("negative", lambda table: table["x"] < 0), Rule("odd", lambda table: table["x"] % 2 == 1)]


@given(st.lists(st.integers(-9, 9)))
def test_each_row_has_the_first_rule_it_breaks_and_counts_add_up(values: list[int]) -> None:
    table = pd.DataFrame({"x": pd.Series(values, dtype="int64")})
    reason = apply_rules(table, RULES)
    expected = ["negative" if x < 0 else "odd" if x % 2 else None for x in values]
    assert [None if pd.isna(name) else name for name in reason] == expected
    counts = rule_counts(reason, RULES)
    assert list(counts) == ["negative", "odd"]
    assert sum(counts.values()) + int(reason.isna().sum()) == len(values)


def test_a_missing_answer_breaks_nothing() -> None:
    table = pd.DataFrame({"x": pd.array([pd.NA, 3], dtype="Int64")}, index=[7, 8])
    reason = apply_rules(table, [Rule("large", lambda rows: rows["x"] > 2)])
    assert reason.isna().loc[7]
    assert reason.loc[8] == "large"


def test_a_rule_that_compares_rows_sees_those_that_no_rule_before_it_drops() -> None:
    table = pd.DataFrame({"x": [-1, -1, 3, 2, 3, 2]}, index=[9, 8, 7, 6, 5, 4])
    again = Rule("again", lambda rows: rows.duplicated())
    assert list(apply_rules(table, [RULES[0], again]).dropna().items()) == [
        (9, "negative"), (8, "negative"), (5, "again"), (4, "again"),
    ]  # fmt: skip
    assert apply_rules(table, [again]).dropna().index.tolist() == [8, 5, 4]
    names = apply_rules(table, [*RULES, again]).dropna().tolist()
    assert names == ["negative", "negative", "odd", "odd", "again"]


def test_nothing_left_is_an_error_that_tells_why() -> None:
    with pytest.raises(TableError, match=r"no row is left after filtering \(dropped: odd 3\)"):
        check_not_empty(pd.DataFrame(), {"negative": 0, "odd": 3}, fix="use other data")
