"""N-gram baselines, the grade judge, and what is measured of routes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from winnow.domains.climb import definitions
from winnow.domains.climb.evaluation import baselines
from winnow.domains.climb.evaluation.routes import (
    draw_conditions,
    grade_weights,
    holds_of,
    peer_routes,
    train_distances,
)
from winnow.domains.climb.evaluation.usage import hold_usage, usage_divergence
from winnow.domains.climb.model import grades as judge
from winnow.domains.climb.model.features import geometry, hold_columns, hold_difficulty
from winnow.domains.climb.model.grades import fit_judge
from winnow.domains.climb.model.sequences import BOARDS, END, START, Sequences, membership

WIDTH = 8


def sequences(*routes: list[int], board: int = 0, grades: list[int] | None = None) -> Sequences:
    tokens = np.full((len(routes), WIDTH), START)
    for row, route in enumerate(routes):
        tokens[row, : len(route)] = route
        tokens[row, len(route)] = END
    told = [[board, 1, grade] for grade in grades or [5] * len(routes)]
    return Sequences(tuple(f"r{i}" for i in range(len(routes))), tokens, np.array(told))


def random_routes(count: int, seed: int) -> Sequences:
    """Routes whose grade is the number of columns that they wander, so that there is something to judge."""
    rng = np.random.default_rng(seed)
    rows = [
        [*sorted(rng.choice(150, size=4, replace=False).tolist()), 187 + int(rng.integers(11))] for _ in range(count)
    ]
    grades = [int(np.ptp([cell % 11 for cell in row])) for row in rows]
    return sequences(*rows, grades=grades)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from(baselines.NAMES), st.integers(0, 20), st.integers(0, 3), st.integers(0, 16))
def test_an_ngram_is_a_distribution(name: baselines.Name, seed: int, board: int, grade: int) -> None:
    model = baselines.fit(name, random_routes(30, seed), random_routes(10, seed + 1))
    before = 40
    parts = np.stack([np.broadcast_to(part, baselines.SHAPE)[board, grade, before] for part in model.parts])
    weights = model.weights[model.bins[board, grade, before]]
    mixed = weights @ parts
    assert mixed.sum() == pytest.approx(weights[parts.sum(axis=1) > 0].sum())
    assert model.weights.sum(axis=1) == pytest.approx(np.ones(len(model.weights)))
    assert (mixed[: before + 1] == 0).all()
    assert (mixed[before + 1 : definitions.BOARDS[BOARDS[board]].rows * 11] > 0).all()


def test_uniform_over_what_may_follow() -> None:
    route = sequences([0, 100])
    uniform = baselines.fit("uniform", route, route)
    # 198 cells, then 197 cells above A1 and the end, then 97 cells above the 100th and the end
    assert uniform.route_nll(route)[0] == pytest.approx(np.log(198) + np.log(198) + np.log(98), rel=1e-6)


def test_a_bigram_knows_what_it_has_seen() -> None:
    train = sequences(*[[3, 50, 190]] * 50)
    val = sequences([3, 50, 190])
    per_token = baselines.fit("bigram", train, val).route_nll(val)[0] / 4
    assert per_token < 0.01
    assert baselines.fit("unigram", train, val).route_nll(val)[0] / 4 > 0.2


def test_a_bigram_that_knows_the_grade_uses_it_and_the_grades_beside() -> None:
    train = sequences(*[[3, 50, 190]] * 40, *[[3, 60, 190]] * 40, grades=[4] * 40 + [9] * 40)
    val = sequences([3, 50, 190], [3, 60, 190], grades=[4, 9])
    model = baselines.fit("grade_bigram", train, val)
    assert model.route_nll(val).max() < 0.05
    assert baselines.fit("bigram", train, val).route_nll(val).min() > np.log(1.9)
    never_seen = sequences([3, 50, 190], [3, 60, 190], grades=[5, 5])
    near, far = model.route_nll(never_seen)
    assert near < far, "grade 5 is next to 4"


def test_ngrams_grow_better_and_never_give_up() -> None:
    train, val, test = random_routes(400, 0), random_routes(100, 1), sequences([120, 121, 122, 196])
    losses = [baselines.fit(name, train, val).route_nll(random_routes(100, 2)).sum() for name in ("uniform", "unigram")]
    assert losses[1] < losses[0]
    assert np.isfinite(baselines.fit("bigram", train, val).route_nll(test)).all()


def test_geometry_and_difficulty() -> None:
    route = sequences([0, 11, 15, 191], [0, 1, 187])
    features = geometry(route)
    # A1, A2, E2, E18: moves of 1, 4 and 16 cells
    assert features[0, 0] == 4
    assert features[0, 4] == 16
    assert features[0, 5] == pytest.approx(7)
    assert np.isfinite(features).all()
    difficulty = np.zeros(len(BOARDS) * definitions.CELLS)
    difficulty[[0, 11, 15, 191]] = [1, 2, 3, 4]
    assert hold_difficulty(route, difficulty)[0, :5].tolist() == [1, 4, 3, 2.5, 10]
    assert hold_columns(route).sum(axis=1).ravel().tolist()[0] == [4, 3]


def test_the_grade_judge_learns_and_is_reproducible() -> None:
    train, test = random_routes(400, 0), random_routes(150, 1)
    judge, again = (fit_judge(train, trees=30, min_leaf=2, neighbour_weight=0.5, seed=3) for _ in range(2))
    apart = np.abs(judge.grades(test) - test.conditions[:, 2])
    majority = np.abs(np.bincount(train.conditions[:, 2]).argmax() - test.conditions[:, 2])
    assert (apart <= 1).mean() > (majority <= 1).mean() + 0.1
    assert (judge.grades(test) == again.grades(test)).all()
    told_otherwise = Sequences(test.ids, test.tokens, test.conditions * [1, 1, 0])
    assert (judge.grades(test) == judge.grades(told_otherwise)).all()


def test_difficulties_of_holds_are_those_of_routes_that_are_not_judged_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the judge would trust them: a ridge regression nearly knows the grades of the routes it was fitted on."""
    fitted, featured = [], []
    difficulties, features = judge._difficulties, judge._features

    def recorded(routes: Sequences, rows: NDArray[np.int64]) -> Ridge:
        fitted.append({routes.ids[row] for row in rows})
        return difficulties(routes, rows)

    def used(model: Ridge, routes: Sequences) -> NDArray[np.float64]:
        featured.append(set(routes.ids))
        return features(model, routes)

    monkeypatch.setattr(judge, "_difficulties", recorded)
    monkeypatch.setattr(judge, "_features", used)
    train = random_routes(100, 0)
    fit_judge(train, trees=2, min_leaf=2, neighbour_weight=0.5, seed=3)
    *folds, whole = fitted
    assert whole == set(train.ids), "new routes are judged with the difficulties of all"
    assert len(folds) == len(featured) == 5
    assert all(seen | judged == whole and not seen & judged for seen, judged in zip(folds, featured, strict=True))


def test_weights_give_the_test_mix_of_grades() -> None:
    test = pd.Series(["6B"] * 6 + ["7A"] * 2)
    weights = grade_weights(pd.Series(["6B", "7A", "6B", "7A"]), test)
    assert weights.tolist() == [1.5, 0.5, 1.5, 0.5]


def test_conditions_are_drawn_for_every_grade() -> None:
    test = pd.DataFrame(
        {
            "route_id": ["a", "b", "c"],
            "board": ["2016", "2017", "2017"],
            "angle": [40, 25, 25],
            "grade": ["6B", "7A", "7A"],
            "grade_index": [3, 7, 7],
        }
    )
    asked = draw_conditions(test, 5, np.random.default_rng(0))
    assert asked["grade"].tolist() == ["6B"] * 5 + ["7A"] * 5
    assert set(asked.loc[asked["grade"] == "7A", "board"]) == {"2017"}


def test_peers_are_put_bottom_up_and_keep_repeats_for_the_judge() -> None:
    told = pd.DataFrame(
        {
            "peer": "p",
            "route_id": ["x"] * 5 + ["y"] * 3,
            "board": "2016",
            "position": [0, 1, 2, 3, 4, 0, 1, 2],
            "hold": ["E6", "H12", "C9", "H12", "A18", "E5", "D10", "F18"],
        }
    )
    found = peer_routes(told, 40)
    assert found.routes["route_id"].tolist() == ["x", "y"]
    assert found.holds.loc[found.holds["route_id"] == "x", "hold"].tolist() == ["E6", "C9", "H12", "H12", "A18"]
    assert found.holds.loc[found.holds["route_id"] == "y", "role"].tolist() == ["start", "move", "finish"]
    assert membership(found.sequences).sum(axis=1).tolist() == [4, 3]


def test_a_peers_holds_that_are_no_cells_are_told_after_the_others() -> None:
    told = pd.DataFrame(
        {
            "peer": "p",
            "route_id": ["x"] * 4 + ["y"],
            "board": "2016",
            "position": [0, 1, 2, 3, 0],
            "hold": ["Z99", "E6", "A18", "H12", "Q1"],
        }
    )
    found = peer_routes(told, 40)
    assert found.routes["route_id"].tolist() == ["x", "y"]
    assert found.holds["hold"].tolist() == ["E6", "H12", "A18", "Z99", "Q1"]
    assert found.holds["role"].tolist() == ["start", "move", "finish", "unknown", "unknown"]
    assert found.holds["position"].tolist() == [0, 1, 2, 3, 0]
    assert membership(found.sequences).sum(axis=1).tolist() == [3, 0]


def test_roles_are_told_with_the_holds() -> None:
    holds = holds_of(sequences([45, 60, 190]))
    assert holds["hold"].tolist() == [definitions.cell_name(cell) for cell in (45, 60, 190)]
    assert holds["role"].tolist() == ["start", "start", "finish"]


def test_train_distance_is_within_the_board() -> None:
    train = sequences([1, 2, 190])
    assert train_distances(sequences([1, 2, 190], [1, 3, 190]), train).tolist() == [0, 0.5]
    assert train_distances(sequences([1, 2, 190], board=1), train).tolist() == [1]


def test_hold_usage_and_its_divergence() -> None:
    first, second = sequences([1, 2], [1, 3]), sequences([1, 2])
    usage = hold_usage({"first": (first, np.ones(2)), "second": (second, np.ones(1))})
    assert usage["hold"].tolist() == ["B1", "C1", "D1"]
    assert usage["first"].tolist() == [0.5, 0.25, 0.25]
    assert usage_divergence((first, np.array([2.0, 0.0])), (second, np.ones(1))) == {"usage_divergence": 0}
    assert usage_divergence((first, np.ones(2)), (sequences([1, 2], board=1), np.ones(1))) == {}
