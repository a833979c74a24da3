"""Graph filters, against dense matrices."""

import numpy as np
import pytest
import torch

from tests.library.recommend import small
from winnow.recommend.filters import Blend, GraphFilter, blended, fit_graph_filter, graph_filter_grid, low_frequencies
from winnow.recommend.graph import matrix_of


def by_hand(known: np.ndarray, factors: int, alpha: float, sharpening: float) -> np.ndarray:
    """(r P + α r D^-½ V Vᵀ D^½) s(P) of the whole training matrix, written out."""
    train = matrix_of(small.graph()).toarray().astype(np.float64)
    by_user, by_item = train.sum(1) ** -0.5, train.sum(0) ** -0.5
    scaled = by_user[:, None] * train * by_item
    linear, low = scaled.T @ scaled, np.linalg.svd(scaled)[2][:factors]
    series = sum(np.linalg.matrix_power(-sharpening * linear, k) / [1, 1, 2, 6, 24][k] for k in range(5))
    return np.asarray(known @ (linear + alpha * (by_item[:, None] * low.T) @ (low / by_item)) @ series)


@pytest.mark.parametrize(("factors", "alpha", "sharpening"), [(6, 0.3, 0.0), (12, 0.2, 2.5), (6, 0.0, 0.7)])
def test_a_filter_is_the_published_formula(factors: int, alpha: float, sharpening: float) -> None:
    train = matrix_of(small.graph())
    score = fit_graph_filter(train, factors=factors, alpha=alpha, sharpening=sharpening, seed=0)
    np.testing.assert_allclose(score(train), by_hand(train.toarray(), factors, alpha, sharpening), atol=1e-3)


def test_users_of_no_training_row_are_scored_alike() -> None:
    train = matrix_of(small.graph())
    score = fit_graph_filter(train, factors=6, alpha=0.3, sharpening=2.5, seed=0)
    np.testing.assert_allclose(score(train[4:5] + train[7:8]), score(train[4:5]) + score(train[7:8]), atol=1e-4)


def test_a_grid_decomposes_a_matrix_once_for_all_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    train = matrix_of(small.graph())
    calls = []

    def counted(*arguments: object) -> np.ndarray:
        calls.append(arguments)
        return low_frequencies(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("winnow.recommend.filters.low_frequencies", counted)
    for settings, fit in graph_filter_grid([4, 9], [0.1, 0.3], [0.0, 2.5], seed=0):
        basis = low_frequencies(train, int(settings["factors"]), 0)
        alone = GraphFilter(train, basis, settings["alpha"], settings["sharpening"])
        np.testing.assert_allclose(fit(train)(train), alone(train), atol=1e-3)
    assert len(calls) == 1


def test_without_a_low_pass_part_a_setting_is_tried_once_with_no_factors() -> None:
    train = matrix_of(small.graph())
    grid = list(graph_filter_grid([4, 9], [0.0, 0.3], [0.0], seed=0))
    assert [(settings["factors"], settings["alpha"]) for settings, _ in grid] == [(0, 0.0), (4, 0.3), (9, 0.3)]
    np.testing.assert_allclose(grid[0][1](train)(train), by_hand(train.toarray(), 0, 0.0, 0.0), atol=1e-3)


def test_a_blend_adds_the_filter_s_score_of_a_row_of_length_one() -> None:
    train = matrix_of(small.graph())
    blend = Blend(fit_graph_filter(train, factors=6, alpha=0.3, sharpening=2.5, seed=0), weight=3.0)
    plain = torch.randn(small.USERS, small.ITEMS, generator=torch.Generator().manual_seed(0))
    scorer = blended(lambda users: plain[torch.from_numpy(users)], blend, train)
    users = np.array([3, 8])
    length = np.sqrt(train.toarray().sum(1))[users, None]
    expected = plain[users].numpy() + 3 * by_hand(train.toarray()[users], 6, 0.3, 2.5) / length
    np.testing.assert_allclose(scorer(users), expected, atol=1e-3)
    assert blended(scorer, None, train) is scorer


@pytest.mark.parametrize("count", [1, 2, 9])
def test_effects_are_what_the_score_loses_without_each_item(count: int) -> None:
    train = matrix_of(small.graph())
    blend = Blend(fit_graph_filter(train, factors=6, alpha=0.3, sharpening=2.5, seed=0), weight=3.0)
    items = train[5].indices[:count].astype(np.int64)
    known = train[:1] * 0
    known = known.tolil()
    known[0, items] = 1
    whole = blend.scores(known.tocsr())
    effects = blend.effects(items)
    assert effects.shape == (count, small.ITEMS)
    for place, item in enumerate(items):
        rest = known.copy()
        rest[0, item] = 0
        np.testing.assert_allclose(effects[place], (whole - blend.scores(rest.tocsr()))[0], atol=1e-4)
