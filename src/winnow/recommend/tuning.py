"""Baselines tuned on validation: every setting of a grid is fitted, the best one stays."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from winnow.measure.ranking import recall_at
from winnow.recommend.baselines import Fit, Fitted, fit_als, fit_ease, fit_item_knn, fit_popularity, matrix_scorer
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.filters import graph_filter_grid
from winnow.recommend.graph import Matrix
from winnow.recommend.lightgcn import EarlyStopped
from winnow.recommend.ranking import rank_by
from winnow.recommend.settings import Baselines, GraphBaselines

TUNED_AT = 10
"""K of the validation Recall@K that decides."""

Grid = Iterator[tuple[dict[str, float], Fit]]
"""Settings, and the function that fits them."""


@dataclass(frozen=True)
class Tuned:
    """A baseline with the settings that were best on validation."""

    settings: dict[str, float]
    validation_recall: float
    score: Fitted
    fit: Fit
    """fits the same settings to other data"""


def tune(grid: Grid, train: Matrix, val: EvaluationSet, *, block: int, known: Matrix | None = None) -> Tuned:
    """The settings with the highest validation Recall@10, the first of equal ones; raises ValueError without any.

    `known` (users, items) are the items by which users are scored, weighted or not, where it is not `train`.
    """
    best: Tuned | None = None
    for settings, fit in grid:
        score = fit(train)
        ranked = rank_by(matrix_scorer(score, train if known is None else known), val, places=TUNED_AT, block=block)
        recall = float(recall_at(ranked.hits, ranked.relevant, TUNED_AT).mean())
        if best is None or recall > best.validation_recall:
            best = Tuned(settings, recall, score, fit)
    if best is None:
        raise ValueError("the grid is empty")
    return best


def stepwise(
    grids: Mapping[str, Sequence[float]], recall: Callable[[Mapping[str, float]], float]
) -> tuple[dict[str, float], float]:
    """Settings of which none alone can be changed for the better, and their recall; the best of three searches.

    From a quarter, the middle and three quarters of each grid one setting after the other is given its best value,
    until none changes.
    """
    known: dict[tuple[float, ...], float] = {}

    def measure(settings: Mapping[str, float]) -> float:
        key = tuple(settings.values())
        if key not in known:
            known[key] = recall(settings)
        return known[key]

    found = []
    for quarter in (2, 1, 3):  # of equal ones that from the middle counts
        chosen = {name: values[len(values) * quarter // 4] for name, values in grids.items()}
        before = None
        while chosen != before:
            before = dict(chosen)
            for name, values in grids.items():
                chosen = max([chosen, *(chosen | {name: value} for value in values)], key=measure)
        found.append((measure(chosen), chosen))
    best, settings = max(found, key=lambda pair: pair[0])
    return settings, best


def at_edge(settings: Mapping[str, float], grids: Mapping[str, Sequence[float]]) -> list[str]:
    """The chosen settings that are the least or the largest value of their grid (a least value of 0 has none below)."""
    return sorted(
        name
        for name, value in settings.items()
        if len(grids.get(name, ())) > 1 and (value == max(grids[name]) or value == min(grids[name]) != 0)
    )


def baseline_grids(settings: GraphBaselines, *, ease_items: int, val: EvaluationSet, seed: int) -> dict[str, Grid]:
    """The grid of every baseline by its name: `linear_grids`, and LightGCN, which chooses its epoch on `val`."""
    grids = linear_grids(settings, ease_items=ease_items, seed=seed)
    knn: dict[str, Sequence[float]] = {
        "neighbours": settings.knn_neighbours,
        "shrink": settings.knn_shrink,
        "asymmetry": settings.knn_asymmetry,
        "user_exponent": settings.knn_user_exponents,
    }
    choices = (dict(zip(knn, values, strict=True)) for values in product(*knn.values()))
    grids["item_knn"] = ((own, _item_knn(own)) for own in choices)
    if settings.lightgcn_dims:
        options = (settings.lightgcn_epochs, settings.lightgcn_learning_rate, val, seed)
        grids["lightgcn"] = (({"dim": dim}, EarlyStopped(dim, *options)) for dim in settings.lightgcn_dims)
    return grids


def _item_knn(own: Mapping[str, float]) -> Fit:
    return partial(
        fit_item_knn,
        neighbours=int(own["neighbours"]),
        shrink=own["shrink"],
        asymmetry=own["asymmetry"],
        user_exponent=own["user_exponent"],
    )


def linear_grids(settings: Baselines, *, ease_items: int, seed: int) -> dict[str, Grid]:
    """The grids of popularity, EASE, ALS and the graph filter.

    EASE works on the `ease_items` most popular items, since it inverts a matrix of them.
    """
    return {
        "popularity": iter([({}, fit_popularity)]),
        "ease": (
            ({"l2": l2, "items": ease_items}, partial(fit_ease, l2=l2, items=ease_items)) for l2 in settings.ease_l2
        ),
        "als": (
            (
                {"factors": factors, "regularisation": ridge, "alpha": alpha},
                partial(fit_als, factors=factors, ridge=ridge, alpha=alpha, rounds=settings.als_iterations, seed=seed),
            )
            for factors, ridge, alpha in product(settings.als_factors, settings.als_regularisation, settings.als_alpha)
        ),
        "graph_filter": graph_filter_grid(
            settings.filter_factors, settings.filter_alphas, settings.filter_sharpenings, seed
        ),
    }


def grid_values(settings: Baselines, name: str) -> dict[str, Sequence[float]]:
    """The values over which a baseline of `linear_grids` is tuned, by the settings' names."""
    filters = name == "graph_filter"
    return {
        "neighbours": settings.knn_neighbours,
        "shrink": settings.knn_shrink,
        "l2": settings.ease_l2,
        "regularisation": settings.als_regularisation,
        "factors": settings.filter_factors if filters else settings.als_factors,
        "alpha": settings.filter_alphas if filters else settings.als_alpha,
        "sharpening": settings.filter_sharpenings,
    }
