"""What scores mean: chances that agree with what is found."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from winnow.recommend.chances import fit_chances
from winnow.recommend.ranking import Ranking


def ranking(scores: np.ndarray, hits: np.ndarray) -> Ranking:
    users = np.arange(len(scores))
    lists = np.where(np.isfinite(scores), np.arange(scores.shape[1]), -1)
    return Ranking(users, lists, hits, hits.sum(axis=1), np.ones(len(users)), scores.astype(np.float32))


def test_chances_are_those_of_a_logistic_regression_and_sum_to_the_hits() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(3, 2, (200, 50))
    hits = rng.random(scores.shape) < 1 / (1 + np.exp(-(0.8 * scores - 5)))
    scores[:, 45:], hits[:, 45:] = -np.inf, False
    found = fit_chances(ranking(scores, hits))
    inside = np.isfinite(scores)
    reference = LogisticRegression(C=1e9, tol=1e-9, max_iter=1000).fit(scores[inside][:, None], hits[inside])
    assert abs(found.slope - reference.coef_[0, 0]) < 0.01
    assert abs(found.intercept - reference.intercept_[0]) < 0.05
    assert abs(found.of(scores[inside]).sum() / hits.sum() - 1) < 0.01


def test_a_score_that_tells_nothing_or_the_opposite_gives_one_chance_for_all() -> None:
    scores = np.tile(np.arange(10.0)[::-1], (20, 1))
    hits = np.zeros(scores.shape, dtype=bool)
    hits[:, -2:] = True
    chances = fit_chances(ranking(scores, hits)).of(scores)
    assert np.allclose(chances, 0.2, atol=0.01)
    none = fit_chances(ranking(scores, np.zeros_like(hits))).of(scores)
    assert (none > 0).all()
    assert (none < 0.01).all()


def test_a_score_beyond_all_that_were_seen_has_the_chance_of_the_best_ones() -> None:
    """A list of one track has scores that no validation list had: the logistic function would say 100%."""
    rng = np.random.default_rng(0)
    scores = np.sort(rng.random((200, 50)))[:, ::-1]
    hits = rng.random(scores.shape) < 0.3 * scores
    chances = fit_chances(ranking(scores, hits))
    best = np.argsort(-scores.ravel())[:50]  # of 10,000 places
    assert chances.of(1e6) == pytest.approx(hits.ravel()[best].mean(), abs=0.02)
