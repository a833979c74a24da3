"""What a score means: the chance that a listed item is one of those to find, fitted to validation lists."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from winnow.pipeline.section import Float
from winnow.recommend.ranking import Ranking

STEPS = 50
"""Newton's; it converges in about ten."""
BEST, FEWEST = 1000, 50
"""Of the places one in so many, and at least so many, have the highest scores: how many of them hit is measured."""


@dataclass(frozen=True)
class Chances:
    """A logistic function of the score (Platt 1999)."""

    slope: Annotated[Float, Field(ge=0)]
    intercept: Float
    highest: Annotated[Float, Field(ge=0, le=1)]
    """the chance that the best places had; nothing is known of scores above theirs, such as a very short list's"""

    def of(self, scores: ArrayLike) -> NDArray[np.float64]:
        """The chances of scores, 0 to `highest`."""
        found = 1 / (1 + np.exp(-(self.slope * np.asarray(scores, dtype=np.float64) + self.intercept)))
        return np.asarray(np.minimum(found, self.highest))


def fit_chances(ranked: Ranking) -> Chances:
    """By maximum likelihood over all places of the lists, with Platt's targets, which keep it finite.

    A logistic function goes on to 1 beyond the scores that it was fitted to: it ends at the share of hits among the
    best places.
    A slope below 0, by which better places would have lower chances, is 0: the same chance for all.
    """
    listed = np.isfinite(ranked.scores) & (ranked.lists >= 0)
    score, hit = ranked.scores[listed].astype(np.float64), ranked.hits[listed]
    found, others = int(hit.sum()), int((~hit).sum())
    target = np.where(hit, (found + 1) / (found + 2), 1 / (others + 2))
    centre, scale = score.mean(), max(float(score.std()), 1e-9)
    inputs = np.stack([(score - centre) / scale, np.ones(len(score))], axis=1)
    weights = np.array([0.0, np.log((found + 1) / (others + 1))])
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-inputs @ weights))
        curvature = inputs.T @ (inputs * (chance * (1 - chance))[:, None]) + 1e-6 * np.eye(2)
        weights = weights - np.linalg.solve(curvature, inputs.T @ (chance - target))
    if weights[0] <= 0:
        return Chances(0.0, round(float(np.log((found + 1) / (others + 1))), 6), 1.0)
    slope = float(weights[0] / scale)
    best = np.argsort(-score, kind="stable")[: max(len(score) // BEST, FEWEST)]
    highest = round(float(target[best].mean()), 6)
    return Chances(round(slope, 6), round(float(weights[1] - slope * centre), 6), highest)
