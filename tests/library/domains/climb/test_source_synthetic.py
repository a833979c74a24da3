"""The embedded data: plausible, and with something in it to learn."""

import numpy as np
import pandas as pd
import pytest

from tests.climbing import distance
from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common, Synthetic
from winnow.domains.climb.rules.validity import broken_rules_of_generated, longest_moves
from winnow.domains.climb.source.problems import Problems
from winnow.domains.climb.source.synthetic import GRADE_SHARES, make

COMMON = Common(boards=["2016", "2017", "2020"], min_holds=3, max_holds=14, max_reach=9.5)
SIZE = 2000


@pytest.fixture(scope="module")
def made() -> Problems:
    return make(COMMON, Synthetic(routes=SIZE, benchmark_share=0.08, unknown_share=0.15), np.random.default_rng(1))


def test_shares_are_as_asked(made: Problems) -> None:
    assert len(made.routes) == SIZE
    assert made.routes["benchmark"].sum() == round(0.08 * SIZE)
    assert made.routes["repeats"].isna().sum() == round(0.15 * SIZE)
    assert set(made.routes["board"]) == set(COMMON.boards)
    assert set(made.routes["grade"]) == set(GRADE_SHARES) == set(definitions.GRADES) - {"5+"}


def test_almost_every_route_is_possible(made: Problems) -> None:
    routes = made.routes.assign(route_id=made.routes["row"].astype("str"))
    holds = made.holds.assign(route_id=made.holds["row"].astype("str"), position=made.holds.groupby("row").cumcount())
    broken = broken_rules_of_generated(routes, holds, min_holds=3, max_holds=14, max_reach=9.5)
    assert broken.any(axis=1).mean() < 0.01


def test_repeats_are_heavy_tailed(made: Problems) -> None:
    repeats = made.routes["repeats"].dropna().astype(int)
    assert repeats.mean() > 2.5 * repeats.median()
    assert repeats.max() > 50 * repeats.median()


def test_longer_reach_and_a_steeper_board_are_harder(made: Problems) -> None:
    holds = made.holds.assign(route_id=made.holds["row"], position=made.holds.groupby("row").cumcount())
    grade = made.routes.set_index("row")["grade"].map(definitions.GRADE_INDEX)
    assert grade.corr(longest_moves(holds).reindex(grade.index), method="spearman") > 0.3
    masters = made.routes[made.routes["board"] == "2017"]
    mean = masters["grade"].map(definitions.GRADE_INDEX).groupby(masters["angle"]).mean()
    assert mean[40] > mean[25] + 0.3


def test_the_grade_follows_the_geometry_about_as_closely_as_on_real_routes(made: Problems) -> None:
    """Of real training routes the rank correlations are .40 (mean move), .39 (longest) and -.25 (number of holds)."""
    cells = made.holds["hold"].map(definitions.CELL_INDEX)
    holds = made.holds.assign(cell=cells).sort_values(["row", "cell"])
    of_route = holds.groupby("row")["cell"].agg(list)
    grade = made.routes.set_index("row")["grade"].map(definitions.GRADE_INDEX)
    moves = of_route.map(lambda own: [min(distance(c, d) for d in own[:i]) for i, c in enumerate(own) if i])
    for measured, real in ((moves.map(np.mean), 0.40), (moves.map(max), 0.39), (of_route.map(len), -0.25)):
        assert measured.corr(grade, method="spearman") == pytest.approx(real, abs=0.12)


def test_some_hold_sets_are_set_at_two_angles(made: Problems) -> None:
    sets = made.holds.groupby("row")["hold"].agg(lambda cells: ",".join(sorted(cells)))
    routes = made.routes.assign(holds=made.routes["row"].map(sets))
    angles = routes[routes["board"] == "2017"].groupby("holds")["angle"].nunique()
    assert (angles == 2).sum() > 10


def test_the_seed_decides(made: Problems) -> None:
    params = Synthetic(routes=50, benchmark_share=0.1, unknown_share=0.2)
    first, same, other = (make(COMMON, params, np.random.default_rng(seed)) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.holds, same.holds)
    pd.testing.assert_frame_equal(first.routes, same.routes)
    assert not first.holds.equals(other.holds)


def test_one_route_can_be_made() -> None:
    only = make(COMMON, Synthetic(routes=1, benchmark_share=0.08, unknown_share=0.15), np.random.default_rng(0))
    assert len(only.routes) == 1
