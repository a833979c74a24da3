"""How well a classifier distinguishes generated routes from real ones (Lopez-Paz and Oquab 2017): AUC 0.5 is best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from winnow.domains.climb.model.features import shape_and_holds
from winnow.domains.climb.model.sequences import BOARDS, Sequences
from winnow.judge.intervals import Counts, Interval, bootstrap
from winnow.judge.settings import Bootstrap
from winnow.measure.classification import aucs

Floats = NDArray[np.float64]
FOLDS = 5
FEWEST = 20
"""Routes of each kind below which a board is left out."""
TREES = 100


@dataclass(frozen=True)
class Apart:
    """One board's result."""

    auc: float
    interval: Interval
    generated: int
    real: int


def c2st(
    generated: Sequences, weights: Floats, real: Sequences, bootstrap_of: Bootstrap, rng: np.random.Generator
) -> tuple[dict[str, Apart], dict[str, str]]:
    """For each board the AUC of a random forest on routes it was not fitted on, and why other boards have none.

    The forest sees holds and geometry. Generated routes have `weights` (routes,) that give them the mix of grades of
    the real ones, for the forest and for the AUC: else their grades alone would distinguish them.
    """
    found, left_out = {}, {}
    for index, board in enumerate(BOARDS):
        own, there = generated.conditions[:, 0] == index, real.conditions[:, 0] == index
        if not own.any() and not there.any():
            continue
        if min(own.sum(), there.sum()) < FEWEST:
            left_out[board] = f"{own.sum()} generated and {there.sum()} real routes, and {FEWEST} of each are needed"
            continue
        is_real = np.repeat([False, True], [own.sum(), there.sum()])
        inputs = np.concatenate([shape_and_holds(generated.rows(own)), shape_and_holds(real.rows(there))])
        weight = np.concatenate([weights[own], np.ones(there.sum())])
        score = _held_out_scores(inputs, is_real, weight, seed=int(rng.integers(2**31)))

        def auc(
            counts: Counts, is_real: NDArray[np.bool_] = is_real, score: Floats = score, weight: Floats = weight
        ) -> Floats:
            return aucs(is_real, score, counts * weight)

        interval = bootstrap({"auc": auc}, len(score), rng=rng, **bootstrap_of.model_dump())["auc"]
        whole = np.ones((1, len(score)), dtype=np.int64)
        found[board] = Apart(float(auc(whole)[0]), interval, int(own.sum()), int(there.sum()))
    return found, left_out


def _held_out_scores(inputs: Floats, is_real: NDArray[np.bool_], weight: Floats, *, seed: int) -> Floats:
    """(rows,) chance of each route to be real, by a forest fitted on other folds."""
    score = np.zeros(len(inputs))
    for fitted_on, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(inputs, is_real):
        forest = RandomForestClassifier(TREES, min_samples_leaf=3, random_state=seed, n_jobs=1)
        forest.fit(inputs[fitted_on], is_real[fitted_on], sample_weight=weight[fitted_on])
        score[held_out] = forest.predict_proba(inputs[held_out])[:, 1]
    return score
