"""How routes are climbed: measures counted by hand, distances by scipy, and what an interval is of."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

from tests.climbing import longest_move
from winnow.domains.climb import definitions
from winnow.domains.climb.evaluation.moves import USAGE, distances, longest_by_grade, route_measures, shares, told
from winnow.domains.climb.evaluation.usage import usage_divergence
from winnow.domains.climb.model.sequences import END, START, Sequences
from winnow.judge.settings import Bootstrap
from winnow.measure.distributions import jensen_shannon_divergence

OPTIONS = Bootstrap(resamples=200, confidence=0.9)


def routes(*named: str, board: int = 0) -> Sequences:
    """Routes given as names of cells, joined by blanks, bottom up."""
    longest = max(len(name.split()) for name in named) + 1
    tokens = np.full((len(named), longest), START)
    for row, name in enumerate(named):
        cells = [definitions.cell_index(cell) for cell in name.split()]
        tokens[row, : len(cells) + 1] = [*cells, END]
    conditions = np.tile([board, 1, 5], (len(named), 1))
    return Sequences(tuple(map(str, range(len(named)))), tokens, conditions)


def drawn(
    count: int, seed: int, board: int = 0, top: int = 18, holds: tuple[int, int] = (3, 7), columns: int = 11
) -> Sequences:
    rng = np.random.default_rng(seed)
    names = []
    for _ in range(count):
        rows = np.sort(rng.choice(np.arange(1, top), size=rng.integers(*holds), replace=False))
        names.append(" ".join(f"{definitions.COLUMNS[rng.integers(columns)]}{row}" for row in (*rows, top)))
    return routes(*names, board=board)


def of_route(measure: str, sequences: Sequences) -> list[list[float]]:
    return [row[np.isfinite(row)].round(4).tolist() for row in route_measures(sequences)[measure]]


def test_the_measures_of_a_route_are_those_counted_on_the_board() -> None:
    # F5 to I9 is 3 across and 4 up; A9 lies 5 across and 4 up of F5; the top is 9 above A9 and 9 above I9
    one = routes("F5 A9 I9 A18", "C4 D5 C18 F18")
    assert of_route("consecutive_distance", one) == [
        [round(41**0.5, 4), 8.0, round(145**0.5, 4)],
        [round(2**0.5, 4), round(170**0.5, 4), 3.0],
    ]
    assert of_route("longest_move", one) == [[9.0], [round(170**0.5, 4)]]
    assert of_route("start_height", one) == [[5.0], [4.0, 5.0]]
    assert of_route("finish_approach", one) == [[9.0], [round(170**0.5, 4), round(173**0.5, 4)]]
    assert of_route("number_of_holds", one) == [[4.0], [4.0]]


def test_measures_agree_with_the_definitions_of_longest_moves_and_roles() -> None:
    for board, top in ((0, 18), (3, 12)):
        sequences = drawn(60, seed=board, board=board, top=top)
        for row, (longest, starts) in enumerate(
            zip(of_route("longest_move", sequences), of_route("start_height", sequences), strict=True)
        ):
            cells = [int(cell) for cell in sequences.tokens[row] if cell < definitions.CELLS]
            roles = definitions.infer_roles(cells, list(definitions.BOARDS)[board])
            assert longest == [round(longest_move(cells), 4)]
            named = [definitions.row_of(cell) for cell, role in zip(cells, roles, strict=True) if role == "start"]
            assert starts == named


def test_the_longest_move_is_compared_grade_by_grade() -> None:
    """A grade whose routes have jumps is told as such, though the mean over all grades hides it; few routes are not."""
    short, jump = "F4 F7 F10 F14 F18", "F4 F6 F15 F18"  # 4 cells, and 9
    made = routes(*[short] * 22, jump, jump, *[short] * 30, *[short] * 5)
    real = routes(*[short] * 25, *[short] * 20, *[jump] * 6, *[short] * 30)
    made.conditions[:, 2] = [6] * 24 + [8] * 30 + [9] * 5
    real.conditions[:, 2] = [6] * 25 + [8] * 26 + [9] * 30
    found = longest_by_grade(made, real, Bootstrap(resamples=4000, confidence=0.9), np.random.default_rng(0))
    assert list(found) == ["6C+", "7A+"]
    easy, hard = found["6C+"], found["7A+"]
    assert (easy["generated"], easy["real"], easy["real_routes"]) == pytest.approx((4 + 2 * 5 / 24, 4, 25))
    assert (hard["generated"], hard["real"], hard["real_routes"]) == pytest.approx((4, 4 + 6 * 5 / 26, 26))
    error = 5 * (6 / 26 * 20 / 26 / 26) ** 0.5  # of a share of jumps, times 5 cells
    middle = hard["generated"] - hard["real"]
    assert hard["difference"]["value"] == pytest.approx(middle)
    ends = [hard["difference"][end] for end in ("low", "high")]
    assert ends == pytest.approx([middle - 1.645 * error, middle + 1.645 * error], abs=0.2)
    assert easy["difference"]["low"] == pytest.approx(0, abs=0.01)
    assert easy["difference"]["high"] > 0.5


def test_distances_are_scipys_with_each_origins_weights() -> None:
    made, real = drawn(80, 1), drawn(70, 2)
    weights = np.random.default_rng(3).uniform(0.2, 2.0, 80)
    found = told(distances({"model": (made, weights)}, (real, np.ones(70)), OPTIONS, np.random.default_rng(0)))
    for measure, own in route_measures(made).items():
        other = route_measures(real)[measure]
        of, place = np.nonzero(np.isfinite(own))
        expected = wasserstein_distance(own[of, place], other[np.isfinite(other)], weights[of])
        assert found["model"][measure]["distance"] == pytest.approx(expected, abs=1e-5), measure
        beyond = found["model"][measure]["beyond_chance"]
        assert beyond["low"] <= beyond["value"] <= expected + 1e-5 <= beyond["high"]


def test_hold_usage_is_compared_within_each_board() -> None:
    """Two boards on which the same holds are used as often are alike, however many routes each has."""
    first, second = drawn(30, 1), drawn(30, 1, board=2)
    both, more = _joined(first, second), _joined(first, second, second)
    found = told(distances({"model": (more, np.ones(90))}, (both, np.ones(60)), OPTIONS, np.random.default_rng(0)))
    assert found["model"][USAGE]["distance"] == pytest.approx(0, abs=1e-9)
    other = drawn(40, 9)
    found = told(distances({"model": (first, np.ones(30))}, (other, np.ones(40)), OPTIONS, np.random.default_rng(0)))
    expected = usage_divergence((first, np.ones(30)), (other, np.ones(40)))["usage_divergence"]
    assert found["model"][USAGE]["distance"] == pytest.approx(expected)
    counts = [np.bincount(each.tokens[each.tokens < END], minlength=END) for each in (first, other)]
    assert expected == pytest.approx(jensen_shannon_divergence(*counts))


def test_the_use_of_holds_on_each_board_counts_as_the_real_routes_do() -> None:
    """Nine generated routes of ten are of the first board, and one real route of four."""
    made, real = (drawn(45, 1), drawn(5, 2, board=2)), (drawn(10, 3), drawn(30, 4, board=2))
    whole = (_joined(*real), np.ones(40))
    found = told(distances({"model": (_joined(*made), np.ones(50))}, whole, OPTIONS, np.random.default_rng(0)))
    counts = [[np.bincount(part.tokens[part.tokens < END], minlength=END) for part in pair] for pair in (made, real)]
    apart = [jensen_shannon_divergence(one, other) for one, other in zip(*counts, strict=True)]
    assert abs(apart[0] - apart[1]) > 0.1
    assert found["model"][USAGE]["distance"] == pytest.approx(np.average(apart, weights=[10, 30]))


def test_of_routes_of_one_population_few_are_beyond_chance() -> None:
    """Whatever the measure, the 95% interval begins above 0 in about 2.5% of comparisons or fewer: at most 5 of 80.

    A random split of real routes would else be told apart. Of one 2.5% event in 80, more than 5 are seen once in 60.
    """
    options, weights = Bootstrap(resamples=120, confidence=0.95), np.random.default_rng(1).uniform(0.5, 1.5, 80)
    alarms, excess = [], []
    for seed in range(80):
        real, same = (drawn(count, 2 * seed + side) for side, count in enumerate((40, 80)))
        found = distances({"train": (same, weights)}, (real, np.ones(40)), options, np.random.default_rng(seed))
        alarms.append((found.set_index("measure")["low"] > 0).astype(int))
        excess.append(found.set_index("measure").eval("beyond_chance / distance"))
    assert pd.DataFrame(alarms).sum().max() <= 5, pd.DataFrame(alarms).sum().to_dict()
    assert pd.DataFrame(excess).mean().max() < 0.25, pd.DataFrame(excess).mean().to_dict()


def test_routes_of_another_population_are_beyond_chance_by_every_measure() -> None:
    """More and lower holds, on the left: other distances, starts, finishes, numbers and use of holds."""
    for seed in range(4):
        real, other = drawn(80, 2 * seed), drawn(80, 2 * seed + 1, holds=(7, 11), columns=6)
        weighed = {"model": (other, np.ones(80))}
        found = told(distances(weighed, (real, np.ones(80)), OPTIONS, np.random.default_rng(seed)))["model"]
        unseen = {measure: each for measure, each in found.items() if each["beyond_chance"]["low"] == 0}
        assert not unseen
        assert all(each["beyond_chance"]["value"] < each["distance"] for each in found.values())


def test_shares_of_an_origin_sum_to_one_and_follow_its_weights() -> None:
    two = routes("F5 A9 A18", "C4 D5 C12 F18")
    table = shares({"model": (two, np.array([3.0, 1.0])), "test": (two, np.ones(2))})
    assert table.groupby(["measure", "origin"])["share"].sum().to_numpy() == pytest.approx(1)
    holds = table[table["measure"] == "number_of_holds"].set_index(["origin", "value"])["share"]
    assert holds.to_dict() == pytest.approx(
        {("model", 3.0): 0.75, ("model", 4.0): 0.25, ("test", 3.0): 0.5, ("test", 4.0): 0.5}
    )
    assert pd.api.types.is_float_dtype(table["value"])


def _joined(*parts: Sequences) -> Sequences:
    width = max(part.tokens.shape[1] for part in parts)
    padded = [np.pad(part.tokens, ((0, 0), (0, width - part.tokens.shape[1])), constant_values=START) for part in parts]
    ids = tuple(f"{number}-{name}" for number, part in enumerate(parts) for name in part.ids)
    return Sequences(ids, np.concatenate(padded), np.concatenate([part.conditions for part in parts]))
