"""An independent judge of grades: scikit-learn models that see the holds only, and have no part in generation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from winnow.domains.climb import definitions
from winnow.domains.climb.model.features import geometry, hold_columns, hold_difficulty
from winnow.domains.climb.model.sequences import Sequences

Floats = NDArray[np.float64]
FOLDS = 5
RIDGE = 10.0
"""L2 penalty of the hold difficulties."""


@dataclass(frozen=True)
class GradeJudge:
    """Says a route's grade from its holds, its board and its angle."""

    difficulties: Ridge
    vote: ClassifierMixin
    neighbour_weight: float
    """How much a probability counts for the grades beside its own: 0 says the likeliest grade"""

    def grades(self, sequences: Sequences) -> NDArray[np.int64]:
        """(routes,) grade indices."""
        if len(sequences.tokens) == 0:
            return np.zeros(0, dtype=np.int64)
        probable = np.zeros((len(sequences.tokens), len(definitions.GRADES)))
        probable[:, self.vote.classes_] = self.vote.predict_proba(_features(self.difficulties, sequences))
        value = probable.copy()
        value[:, 1:] += self.neighbour_weight * probable[:, :-1]
        value[:, :-1] += self.neighbour_weight * probable[:, 1:]
        return np.asarray(value.argmax(axis=1), dtype=np.int64)


def fit_judge(train: Sequences, *, trees: int, min_leaf: int, neighbour_weight: float, seed: int) -> GradeJudge:
    """A judge fitted on training routes; of one grade alone, or of fewer than five routes, it says the commonest grade.

    A ridge regression of the grade on the holds estimates the difficulty of each hold; its coefficients, for training
    routes from folds that did not see them, join the geometry in a forest and a logistic regression, which vote by
    probability.
    """
    grades = train.conditions[:, 2]
    if not can_judge(train):
        same = DummyClassifier(strategy="prior").fit(grades[:, None], grades)
        return GradeJudge(_difficulties(train, np.arange(len(grades))), same, neighbour_weight)
    folds = list(KFold(FOLDS, shuffle=True, random_state=seed).split(grades))
    parts = [_features(_difficulties(train, fitted_on), _take(train, held_out)) for fitted_on, held_out in folds]
    seen = np.concatenate(parts)[np.argsort(np.concatenate([held_out for _, held_out in folds]))]
    forest = RandomForestClassifier(trees, min_samples_leaf=min_leaf, random_state=seed, n_jobs=1)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))
    vote = VotingClassifier([("forest", forest), ("logistic", logistic)], voting="soft").fit(seen, grades)
    return GradeJudge(_difficulties(train, np.arange(len(grades))), vote, neighbour_weight)


def can_judge(train: Sequences) -> bool:
    """Whether there are enough training routes, of more than one grade, to fit the judge."""
    return len(train.tokens) >= FOLDS and len(np.unique(train.conditions[:, 2])) > 1


def _difficulties(routes: Sequences, rows: NDArray[np.int64]) -> Ridge:
    return Ridge(RIDGE, solver="sparse_cg", tol=1e-6).fit(hold_columns(routes)[rows], routes.conditions[rows, 2])


def _features(difficulties: Ridge, routes: Sequences) -> Floats:
    predicted = difficulties.predict(hold_columns(routes))
    return np.column_stack([geometry(routes), hold_difficulty(routes, difficulties.coef_), predicted])


def _take(routes: Sequences, rows: NDArray[np.int64]) -> Sequences:
    return routes.rows(np.isin(np.arange(len(routes.tokens)), rows))
