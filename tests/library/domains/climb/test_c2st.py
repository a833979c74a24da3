"""The classifier two-sample test: chance for routes of one source, sure for others, board by board."""

import numpy as np
import pytest

from winnow.domains.climb import definitions
from winnow.domains.climb.evaluation.c2st import c2st
from winnow.domains.climb.model.sequences import END, START, Sequences
from winnow.judge.settings import Bootstrap

OPTIONS = Bootstrap(resamples=200, confidence=0.95)


def routes(count: int, seed: int, *, board: int = 0, columns: tuple[int, ...] = tuple(range(11))) -> Sequences:
    """Routes of five holds in rising rows, in some columns."""
    rng = np.random.default_rng(seed)
    rows = np.sort(np.stack([rng.permutation(18)[:5] for _ in range(count)]), axis=1)
    cells = rows * len(definitions.COLUMNS) + rng.choice(columns, size=rows.shape)
    tokens = np.concatenate([cells, np.full((count, 1), END), np.full((count, 2), START)], axis=1)
    conditions = np.stack([np.full(count, board), np.ones(count), rng.integers(3, 8, count)], axis=1)
    return Sequences(tuple(f"{board}-{seed}-{number}" for number in range(count)), tokens, conditions.astype(np.int64))


def joined(*parts: Sequences) -> Sequences:
    return Sequences(
        tuple(name for part in parts for name in part.ids),
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.conditions for part in parts]),
    )


def test_each_board_is_told_apart_by_itself_or_left_out_with_the_reason() -> None:
    generated = joined(routes(250, 1), routes(60, 2, board=1, columns=(0, 1, 2)), routes(5, 3, board=2))
    real = joined(routes(250, 4), routes(60, 5, board=1, columns=(6, 7, 8)), routes(60, 6, board=2))
    found, left_out = c2st(generated, np.ones(315), real, OPTIONS, np.random.default_rng(0))
    chance = found["2016"]
    assert chance.auc == pytest.approx(0.5, abs=0.1)
    assert chance.interval.low < chance.auc < chance.interval.high < chance.interval.low + 0.15
    assert found["2017"].auc > 0.99
    assert left_out == {"2019": "5 generated and 60 real routes, and 20 of each are needed"}


def test_a_board_without_any_route_says_nothing_and_the_next_one_is_told_apart() -> None:
    only = list(definitions.BOARDS)[-1]
    generated, real = (routes(60, seed, board=len(definitions.BOARDS) - 1) for seed in (1, 2))
    found, left_out = c2st(generated, np.ones(60), real, OPTIONS, np.random.default_rng(0))
    assert (list(found), left_out) == ([only], {})


def test_weights_decide_how_much_generated_routes_count() -> None:
    """Half of the generated routes are like no real one, and tell the more of the AUC the more they weigh."""
    generated = joined(routes(80, 1, columns=(3, 4)), routes(80, 2, columns=(9, 10)))
    real = routes(80, 3, columns=(3, 4))
    auc = {}
    for odd in (1e-9, 1.0, 1.9):
        weights = np.repeat([2 - odd, odd], 80)
        found, _ = c2st(generated, weights, real, OPTIONS, np.random.default_rng(0))
        auc[odd] = found["2016"].auc
    assert auc[1e-9] == pytest.approx(0.5, abs=0.15)
    assert auc[1.0] == pytest.approx(0.75, abs=0.1)
    assert auc[1.9] > 0.9


def test_the_classifier_too_is_fitted_with_the_weights() -> None:
    """Both are drawn alike, but generated routes of one kind weigh 19 times those of the other: these tell."""
    generated, real = (
        joined(routes(120, seed, columns=(3, 4)), routes(120, seed + 1, columns=(9, 10))) for seed in (1, 3)
    )
    found, _ = c2st(generated, np.repeat([1.9, 0.1], 120), real, OPTIONS, np.random.default_rng(0))
    # a real route of the second kind against a generated one of the first, and half of the pairs of one kind
    assert found["2016"].auc == pytest.approx(0.5 * 0.95 + (0.5 * 0.95 + 0.5 * 0.05) / 2, abs=0.06)
