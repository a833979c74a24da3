"""N-gram models and the grade judge against another way to compute them: dictionaries, scipy, normal equations."""

from collections import Counter
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from winnow.domains.climb import definitions
from winnow.domains.climb.evaluation import baselines
from winnow.domains.climb.evaluation.routes import route_metrics
from winnow.domains.climb.metrics import grades_apart, route_statistics
from winnow.domains.climb.model.features import geometry, hold_columns, hold_difficulty
from winnow.domains.climb.model.grades import fit_judge
from winnow.domains.climb.model.sequences import END, START, Sequences
from winnow.domains.climb.model.training import GeneratorTask
from winnow.learn.samplers import BatchShare

CELLS = list(range(0, 198, 9))
"""Few cells, so that contexts repeat."""

Probability = Callable[[int, int, int, int], float]
"""of a token on a board, at a grade, after a context: (board, grade, context, token)"""


def routes(count: int, seed: int) -> Sequences:
    """Routes on the boards 2016 and 2017 whose next cell is mostly the one after, and whose grade is their length."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        start = int(rng.integers(len(CELLS) - 6))
        steps = np.cumsum(rng.choice([1, 2], p=[0.8, 0.2], size=int(rng.integers(2, 6))))
        rows.append([CELLS[place] for place in [start, *(start + steps).tolist()] if place < len(CELLS)])
    tokens = np.full((count, 9), START)
    for number, row in enumerate(rows):
        tokens[number, : len(row) + 1] = [*row, END]
    conditions = [[number % 2, 1, len(row)] for number, row in enumerate(rows)]
    return Sequences(tuple(map(str, range(count))), tokens, np.array(conditions))


def steps(sequences: Sequences) -> list[tuple[int, int, int, int]]:
    """Board, grade, context and token of every token."""
    return [
        (int(board), int(grade), before, token)
        for row, (board, _, grade) in zip(sequences.tokens.tolist(), sequences.conditions, strict=True)
        for before, token in zip([START, *row], row, strict=False)
        if token != START
    ]


def possible(board: int, before: int) -> list[int]:
    """All four boards are 18 rows high except the last one."""
    cells = definitions.CELLS if board < 3 else 12 * 11
    return list(range(cells)) if before == START else [*range(before + 1, cells), END]


def from_counts(counts: Mapping[tuple[int, ...], float], key: Callable[..., tuple[int, ...]]) -> Probability:
    """The share of a token among all that may follow, by the counts of `key`; 0 where nothing was counted."""

    def probability(board: int, grade: int, before: int, token: int) -> float:
        total = sum(counts[key(board, grade, before, other)] for other in possible(board, before))
        return counts[key(board, grade, before, token)] / total if total else 0.0

    return probability


def parts_by_hand(train: Sequences) -> dict[str, list[Probability]]:
    counted = steps(train)

    def of(key: Callable[..., tuple[int, ...]]) -> Probability:
        return from_counts(Counter(key(*step) for step in counted), key)

    beside: Counter[tuple[int, ...]] = Counter()
    for board, grade, before, token in counted:
        for other, share in ((grade, 1.0), (grade - 1, 0.5), (grade + 1, 0.5)):
            beside[board, other, before, token] += share  # type: ignore[assignment]
    here = of(lambda b, _, c, t: (b, c, t))
    everywhere = of(lambda _, __, c, t: (c, t))
    single = of(lambda b, _, __, t: (b, t))
    uniform: Probability = lambda b, _, c, __: 1 / len(possible(b, c))  # noqa: E731
    bigram = [here, everywhere, single, uniform]
    own = of(lambda b, g, c, t: (b, g, c, t))
    neighbours = from_counts(beside, lambda b, g, c, t: (b, g, c, t))
    own_single = of(lambda b, g, _, t: (b, g, t))
    return {
        "uniform": [uniform],
        "unigram": [single, uniform],
        "bigram": bigram,
        "grade_bigram": [own, neighbours, own_single, *bigram],
    }


def best_likelihood(given: np.ndarray) -> float:
    """The highest log-likelihood that mixture weights give (tokens, parts) probabilities, by scipy."""

    def loss(free: np.ndarray) -> float:
        exponentials = np.exp(np.append(free, 0.0))
        return float(-np.log(given @ (exponentials / exponentials.sum())).sum())

    starts = [np.zeros(given.shape[1] - 1), *2.0 * np.eye(given.shape[1] - 1)]
    return -min(float(minimize(loss, start, method="Nelder-Mead").fun) for start in starts)


@pytest.mark.parametrize("name", baselines.NAMES)
def test_ngrams_are_counts_of_training_mixed_as_validation_likes_best(name: baselines.Name) -> None:
    train, val, test = routes(60, 0), routes(40, 1), routes(15, 2)
    parts = parts_by_hand(train)[name]
    contexts = {"bigram": lambda b, _, c: (b, c), "grade_bigram": lambda b, g, c: (b, g, c)}.get(name)
    seen = Counter(contexts(*step[:3]) for step in steps(train)) if contexts else Counter()

    def bin_of(step: tuple[int, int, int, int]) -> int:
        return sum(seen[contexts(*step[:3])] >= edge for edge in (3, 10, 30, 100, 300, 1000)) if contexts else 0

    model, probabilities = baselines.fit(name, train, val), {}
    for side, sequences in {"val": val, "test": test}.items():
        found: dict[int, list[list[float]]] = {}
        for step in steps(sequences):
            found.setdefault(bin_of(step), []).append([part(*step) for part in parts])
        probabilities[side] = {number: np.array(rows) for number, rows in found.items()}
    for number, given in probabilities["val"].items():
        own = np.log(given @ model.weights[number]).sum()
        assert own >= 1.005 * best_likelihood(given)
        assert given.shape[1] == 1 or own > 1.01 * np.log(given.mean(axis=1)).sum()  # equal weights are worse
    total = sum(np.log(given @ model.weights[number]).sum() for number, given in probabilities["test"].items())
    assert model.route_nll(test).sum() == pytest.approx(-total)
    assert len(probabilities["val"]) == {"bigram": 4, "grade_bigram": 3}.get(name, 1)


def test_hold_difficulties_are_a_ridge_regression_and_the_vote_counts_neighbours() -> None:
    train, test = routes(80, 3), routes(30, 4)
    judge = fit_judge(train, trees=10, min_leaf=2, neighbour_weight=0.7, seed=1)
    holds, grades = hold_columns(train).toarray(), train.conditions[:, 2]
    centred = holds - holds.mean(axis=0)
    matrix = centred.T @ centred + 10 * np.eye(holds.shape[1])
    difficulty = np.linalg.solve(matrix, centred.T @ (grades - grades.mean()))
    assert judge.difficulties.coef_ == pytest.approx(difficulty, abs=1e-4)
    predicted = grades.mean() + (hold_columns(test).toarray() - holds.mean(axis=0)) @ difficulty
    inputs = np.column_stack([geometry(test), hold_difficulty(test, judge.difficulties.coef_), predicted])
    chances = judge.vote.predict_proba(inputs)
    own = judge.vote.classes_.tolist()
    for row, said in zip(chances, judge.grades(test), strict=True):
        of = {grade: row[own.index(grade)] if grade in own else 0.0 for grade in range(-1, len(definitions.GRADES) + 1)}
        values = [of[g] + 0.7 * (of[g - 1] + of[g + 1]) for g in range(len(definitions.GRADES))]
        assert values[said] == pytest.approx(max(values), abs=1e-6)


def test_the_features_of_the_judges_training_come_from_folds_that_did_not_see_the_route() -> None:
    """Grades that nothing tells: a judge that saw each route's own grade through its holds would know them by heart."""
    train = routes(120, 5)
    noise = np.random.default_rng(0).integers(0, 4, len(train.tokens))
    random = Sequences(train.ids, train.tokens, np.column_stack([train.conditions[:, :2], noise]))
    judge = fit_judge(random, trees=1, min_leaf=60, neighbour_weight=0.0, seed=0)
    fresh = routes(200, 6)
    truth = np.random.default_rng(1).integers(0, 4, len(fresh.tokens))
    assert abs((judge.grades(fresh) == truth).mean() - 0.25) < 0.12


def judged(grades: list[str], said: list[str], weights: list[float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "board": "2016",
            "grade": grades,
            "judged_grade": said,
            "weight": weights,
            "broken_rule": [None] * len(grades),
            "novel": True,
            "train_distance": 0.5,
        }
    )


def test_grade_accuracies_and_their_statistics_are_weighted() -> None:
    rows = judged(["6B", "6B", "7A", "7A"], ["6B", "6B+", "7A", "8A"], [0.4, 0.6, 2.0, 1.0])
    assert grades_apart(rows).tolist() == [0, 1, 0, 6]
    found = route_metrics(rows, routes(4, 0))
    assert found["grade_exact_accuracy"] == pytest.approx((0.4 + 2.0) / 4)
    assert found["grade_within_one_accuracy"] == pytest.approx((0.4 + 0.6 + 2.0) / 4)
    drawn = np.array([[1, 1, 1, 1], [0, 2, 1, 1], [2, 0, 0, 2]])
    statistics = route_statistics(rows)
    exact = statistics["grade_exact_accuracy"](drawn)
    assert exact.tolist() == pytest.approx([2.4 / 4, 2.0 / 4.2, 0.8 / 2.8])
    within = statistics["grade_within_one_accuracy"](drawn)
    assert within.tolist() == pytest.approx([3.0 / 4, 3.2 / 4.2, 0.8 / 2.8])


@pytest.mark.parametrize("weighted", [True, False])
def test_routes_are_drawn_by_their_weights_when_asked(weighted: bool) -> None:
    names = [f"r{number}" for number in range(40)]
    weights = np.where(np.arange(40) < 10, 2.5, 0.5)
    table = pd.DataFrame(
        {
            "route_id": [*names, "v"],
            "board": "2016",
            "angle": 40,
            "grade": "6B",
            "grade_index": 3,
            "quality": "low",
            "split": ["train"] * 40 + ["val"],
            "weight": [*weights, np.nan],
            "in_full": True,
        }
    )
    tokens = pd.DataFrame(
        [(name, *hold) for name in [*names, "v"] for hold in enumerate((3, 50, 190))],
        columns=["route_id", "position", "token"],
    )
    params = SimpleNamespace(weighted=weighted)
    loaders = GeneratorTask(table, tokens, None, params, None).loaders("full", BatchShare(8, 1, 1, 0))  # type: ignore[arg-type]
    drawn = [loaders.train.batch(seed, index)["ids"] for seed in range(3) for index in range(5)]
    times = np.bincount(np.concatenate(drawn), minlength=40) / 3
    assert times[:10].sum() == pytest.approx(25 if weighted else 10, abs=1)
    assert times.sum() == pytest.approx(40)
