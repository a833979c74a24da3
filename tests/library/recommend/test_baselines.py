"""The simple recommenders, against a second way of computing them."""

from collections.abc import Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from tests.library.recommend import small
from winnow.recommend.baselines import (
    fit_als,
    fit_ease,
    fit_group_popularity,
    fit_item_knn,
    fit_item_knn_with_groups,
    fit_popularity,
)
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.graph import matrix_of
from winnow.recommend.tuning import at_edge, stepwise, tune


def dense() -> np.ndarray:
    return matrix_of(small.graph()).toarray().astype(np.float64)


def test_ease_is_the_ridge_regression_with_a_zero_diagonal() -> None:
    known = dense()
    score = fit_ease(matrix_of(small.graph()), l2=5.0, items=small.ITEMS)(matrix_of(small.graph()))
    for item in (0, 11, 39):
        others = np.delete(known, item, axis=1)
        weights = np.linalg.solve(others.T @ others + 5.0 * np.eye(small.ITEMS - 1), others.T @ known[:, item])
        np.testing.assert_allclose(score[:, item], others @ weights, atol=1e-3)


@pytest.mark.parametrize("factors", [3, 30])
def test_als_users_solve_their_own_least_squares(factors: int) -> None:
    train = matrix_of(small.graph())
    score = fit_als(train, factors=factors, ridge=0.5, alpha=4.0, rounds=3, seed=0)
    one = score(train[5])[0]
    assert one == pytest.approx(score(train)[5], abs=1e-3)
    assert one[train[5].indices].mean() > np.delete(one, train[5].indices).mean() + 0.2


@pytest.mark.parametrize("shrink", [0.0, 7.0])
def test_item_knn_is_the_shrunk_cosine_of_the_nearest(shrink: float) -> None:
    known = dense()
    similar = known.T @ known / (np.sqrt(np.outer(known.sum(0), known.sum(0))) + shrink)
    np.fill_diagonal(similar, 0)
    train = matrix_of(small.graph())
    score = fit_item_knn(train, neighbours=small.ITEMS, shrink=shrink)(train)
    np.testing.assert_allclose(score, known @ similar, rtol=1e-4)
    few = fit_item_knn(train, neighbours=2, shrink=shrink)(sparse.identity(small.ITEMS, format="csr", dtype=np.float32))
    assert ((few > 0).sum(axis=0) <= 4).all()


@pytest.mark.parametrize("factors", [3, 30])
def test_als_reaches_the_objective_of_alternating_by_the_dense_equations(factors: int) -> None:
    """Hu et al.: sum of c (p - x y)^2 and the ridge of both sides, with c = 1 + alpha p."""
    ridge, alpha = 0.5, 4.0
    known = dense()

    def solve(preferred: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                np.linalg.solve(
                    other.T @ ((1 + alpha * row)[:, None] * other) + ridge * np.eye(factors),
                    other.T @ ((1 + alpha * row) * row),
                )
                for row in preferred
            ]
        )

    def error(scores: np.ndarray) -> float:
        return float(((1 + alpha * known) * (known - scores) ** 2).sum())

    items = np.random.default_rng(0).normal(0, 0.1, (small.ITEMS, factors))
    for _ in range(40):
        users = solve(known, items)
        items = solve(known.T, users)
    train = matrix_of(small.graph())
    fitted = partial(fit_als, train, factors=factors, ridge=ridge, rounds=40, seed=0)
    assert error(fitted(alpha=alpha)(train)) == pytest.approx(error(solve(known, items) @ items.T), rel=0.05)
    assert error(fitted(alpha=alpha + 1)(train)) != pytest.approx(error(fitted(alpha=alpha)(train)), rel=0.001)
    assert (fitted(alpha=alpha)(train) == fitted(alpha=alpha)(train)).all()
    assert (fitted(alpha=alpha, seed=1)(train) != fitted(alpha=alpha)(train)).any()


def test_als_gives_users_of_no_item_no_score() -> None:
    train = matrix_of(small.graph())
    nobody = sparse.csr_matrix((2, small.ITEMS), dtype=np.float32)
    assert not fit_als(train, factors=3, ridge=0.5, alpha=4.0, rounds=3, seed=0)(nobody).any()


def test_popularity_is_the_same_for_all() -> None:
    train = matrix_of(small.graph())
    assert (fit_popularity(train)(train[:3]) == dense().sum(0)).all()


def test_tuning_chooses_the_setting_that_finds_most_and_the_first_of_equal_ones() -> None:
    hidden = small.pairs(seed=3, share=0.1)
    held = evaluation_set(small.graph(), hidden=hidden, known=(hidden[0][:0], hidden[1][:0]))
    oracle = np.zeros((small.USERS, small.ITEMS), dtype=np.float32)
    oracle[hidden] = 1

    def fit(_train: sparse.csr_matrix, *, sign: int) -> object:
        return lambda known: sign * oracle[: known.shape[0]]

    grid = [({"sign": sign, "copy": copy}, partial(fit, sign=sign)) for copy in (0, 1) for sign in (-1, 1)]
    best = tune(iter(grid), matrix_of(small.graph()), held, block=1000)  # type: ignore[arg-type]
    assert best.settings == {"sign": 1, "copy": 0}
    assert best.validation_recall == 1
    with pytest.raises(ValueError, match="the grid is empty"):
        tune(iter([]), matrix_of(small.graph()), held, block=1000)


def test_group_popularity_is_popularity_times_the_share_of_the_group() -> None:
    known, group = dense(), np.arange(small.ITEMS) % 5 - 1
    score = fit_group_popularity(matrix_of(small.graph()), group=group)(matrix_of(small.graph()))
    for user, item in ((0, 6), (11, 38)):
        share = known[user, group == group[item]].sum() / known[user].sum()
        assert score[user, item] == pytest.approx(share * known[:, item].sum(), abs=0.03)
    without = score[:, group == -1]
    assert without.max() < 1 / small.ITEMS
    assert (np.argsort(without[0]) == np.argsort(known.sum(0)[group == -1], kind="stable")).mean() > 0.5


def test_item_knn_with_groups_adds_the_share_of_the_group() -> None:
    known, group, train = dense(), np.arange(small.ITEMS) % 5 - 1, matrix_of(small.graph())
    options = {"neighbours": 10, "shrink": 1.0}
    plain = fit_item_knn(train, **options)(train)
    added = fit_item_knn_with_groups(train, **options, group=group, weight=2.0)(train) - plain
    popularity = known.sum(0)
    for item in (0, 6, 38):
        same = group == group[item]
        share = known[:, same].sum(1) / known.sum(1) if group[item] >= 0 else np.zeros(small.USERS)
        expected = 2.0 * share * popularity[item] / popularity[same].max()
        np.testing.assert_allclose(added[:, item], expected, atol=1e-4)


def test_settings_at_the_edge_of_their_grid_are_named() -> None:
    grids = {"a": [0.0, 1.0, 2.0], "b": [3.0, 4.0, 5.0], "c": [7.0], "d": [1.0, 2.0]}
    assert at_edge({"a": 0.0, "b": 4.0, "c": 7.0, "other": 1.0}, grids) == []
    assert at_edge({"a": 2.0, "b": 3.0, "d": 1.0}, grids) == ["a", "b", "d"]


def test_tuning_scores_users_by_the_items_they_are_said_to_be_known_by() -> None:
    graph = small.graph()
    held = evaluation_set(graph, hidden=small.pairs(seed=1), known=small.pairs())
    nothing = matrix_of(graph) * 0
    seen = []

    def fit(_train: object) -> object:
        return lambda known: seen.append(known.sum()) or np.zeros(known.shape, dtype=np.float32)

    tune(iter([({}, fit)]), matrix_of(graph), held, block=100, known=nothing)  # type: ignore[arg-type]
    assert seen == [0]


def test_stepwise_tuning_ends_where_no_single_change_is_better_and_tries_no_setting_twice() -> None:
    rng = np.random.default_rng(3)
    grids = {"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 0.5, 1.0], "c": [7.0]}
    for _ in range(20):
        height = {key: float(rng.random()) for key in product(*grids.values())}
        tried: list[tuple[float, ...]] = []

        def recall(own: Mapping[str, float], height: dict[Any, float] = height, tried: list[Any] = tried) -> float:
            tried.append(tuple(own.values()))
            return height[tuple(own.values())]

        settings, best = stepwise(grids, recall)
        assert len(tried) == len(set(tried))
        assert best == height[tuple(settings.values())] == max(height[each] for each in tried)
        for name, values in grids.items():
            assert all(height[tuple((settings | {name: value}).values())] <= best for value in values)
