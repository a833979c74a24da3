"""The tuned trees are those that a search over every setting at once would give."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from winnow.domains.documents import definitions
from winnow.domains.documents.evaluation import baselines
from winnow.domains.documents.model.estimates import weighed

RATE, ROWS, ROUNDS = baselines.RATE, 360, 40
RNG = np.random.default_rng(4)
MEASURES = RNG.normal(size=(ROWS, 6))
SCORES = 1 / (1 + np.exp(-MEASURES[:, 0] - MEASURES[:, 1] ** 2 + 1 + 0.8 * RNG.normal(size=ROWS)))
LABELS = definitions.class_of(SCORES)
SIDE = np.repeat(["train", "val", "test"], ROWS // 3)
VAL = SIDE == "val"


@pytest.fixture
def tuned(monkeypatch: pytest.MonkeyPatch) -> baselines.Baseline:
    monkeypatch.setattr(baselines, "PATIENCE", 20)
    monkeypatch.setattr(baselines, "LEAVES", (3, 6))
    return baselines.trees(MEASURES, SCORES, LABELS, SIDE, 0.05, ROUNDS, 1)


def test_the_chosen_trees_err_least_on_validation(tuned: baselines.Baseline) -> None:
    options = {"learning_rate": RATE, "max_iter": ROUNDS, "early_stopping": False, "random_state": 1}
    errors, losses, predicted = {}, {}, {}
    for leaves in (3, 6):
        regressor = HistGradientBoostingRegressor(max_leaf_nodes=leaves, **options)
        regressor.fit(MEASURES[SIDE == "train"], SCORES[SIDE == "train"])
        for rounds, score in enumerate(regressor.staged_predict(MEASURES), 1):
            errors[leaves, rounds] = np.abs(score - SCORES)[VAL].mean()
            predicted[leaves, rounds] = score
        classifier = HistGradientBoostingClassifier(max_leaf_nodes=leaves, **options)
        classifier.fit(MEASURES[SIDE == "train"], LABELS[SIDE == "train"])
        for rounds, probabilities in enumerate(classifier.staged_predict_proba(MEASURES[VAL]), 1):
            losses[leaves, rounds] = -np.log(probabilities[np.arange(VAL.sum()), LABELS[VAL]]).mean()
    best, chosen = (min(found, key=lambda each: found[each]) for found in (errors, losses))
    settings = tuned.settings
    assert (settings["score_leaves"], settings["score_rounds"]) == best
    assert (settings["class_leaves"], settings["class_rounds"]) == chosen
    # calibrated on validation: a straight line of the chosen trees' scores, within 0 and 1
    score = np.clip(predicted[best], 0, 1)
    inside = (tuned.estimates.score > 0) & (tuned.estimates.score < 1)
    slope, intercept = np.polyfit(score[inside], tuned.estimates.score[inside], 1)
    assert tuned.estimates.score == pytest.approx(weighed(score[:, None], [slope], intercept), abs=1e-9)


def test_no_more_rounds_are_tried_once_validation_says_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "PATIENCE", 5)
    model = HistGradientBoostingRegressor(learning_rate=0.5, warm_start=True, early_stopping=False, random_state=1)
    tried: list[int] = []

    def losses(grown: HistGradientBoostingRegressor) -> list[float]:
        tried.append(grown.n_iter_)
        return [abs(12 - rounds) for rounds in range(1, grown.n_iter_ + 1)]

    grown = baselines._grown(model, (MEASURES, SCORES), 1000, losses)
    assert (grown.loss, grown.rounds) == (0, 12)
    assert tried == [5, 10, 15, 20]


def test_the_largest_trees_that_are_tried_find_what_three_measures_say_together() -> None:
    """Trees of three leaves cannot: they join two measures at most."""
    bits = np.random.default_rng(2).integers(2, size=(600, 3))
    scores = np.where(bits.sum(axis=1) % 2, 0.9, 0.1)
    side = np.repeat(["train", "val"], 300)
    found = baselines.trees(bits.astype(float), scores, definitions.class_of(scores), side, 0.05, 80, 1)
    error = np.abs(found.estimates.score - scores)[side == "val"].mean()
    assert error < 0.1, f"the baseline errs by {error:.2f} on a score that three measures give exactly"
    assert min(found.settings["score_leaves"], found.settings["class_leaves"]) > 3
