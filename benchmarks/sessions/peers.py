"""The domain's recommenders beside implicit's and Cornac's: `python -m benchmarks.sessions.peers FOLDER`.

Needs `uv pip install --no-deps cornac==3.0.1 powerlaw`. FOLDER becomes a clone with the data of
`$WINNOW_SHARED_DATA/sessions`. HetRec's training rows under the preset lastfm, Recall@10 of all test users by the same
ranking, two threads on either side. EASE has the same settings on both sides; those of item-kNN are chosen on the
validation songs, on each side from a grid of its own. (ALS is implicit's on either side.) The network is trained and
judged by DVC; BPR has as much time as that training to find its settings on the validation songs, one after the other.
Results: `benchmarks/sessions/results/peers.json`.
"""

import itertools
import json
import random
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import cornac
import numpy as np
import torch
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender
from threadpoolctl import threadpool_limits

from benchmarks.measure import clone, report, run
from benchmarks.sessions.baselines import split, to_find
from benchmarks.sessions.quality import LASTFM
from winnow.measure.ranking import recall_at
from winnow.recommend.baselines import fit_ease, fit_item_knn, matrix_scorer
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.graph import matrix_of
from winnow.recommend.ranking import Scorer, rank_by

THREADS = 2
NEIGHBOURS, SHRINK, L2 = (20, 50, 100, 200, 500), (0.0, 10.0, 50.0), 150.0
BPR: dict[str, tuple[float, ...]] = {
    "factors": (64, 128, 200),
    "learning_rate": (0.01, 0.03, 0.1),
    "regularization": (0.001, 0.01, 0.1),
    "iterations": (50, 100, 200, 400),
}


def of_factors(users: Any, items: Any) -> Scorer:
    """Scores by the product of factors."""
    users, items = np.asarray(users), np.asarray(items)
    return lambda rows: torch.from_numpy(users[rows] @ items.T)


def implicit_item_knn(train: Any, neighbours: int) -> Scorer:
    model = CosineRecommender(neighbours + 1, num_threads=THREADS)  # an item is its own first neighbour
    model.fit(train, show_progress=False)
    similar = model.similarity.tolil()
    similar.setdiag(0)
    return matrix_scorer(lambda known: np.asarray((known @ similar.tocsr()).todense(), dtype=np.float32), train)


def cornac_ease(train: Any) -> Scorer:
    pairs = zip(*train.nonzero(), itertools.repeat(1.0), strict=False)
    data = cornac.data.Dataset.build(pairs)
    model = cornac.models.EASE(lamb=L2, posB=False, verbose=False).fit(data)
    items = np.array([data.iid_map.get(item, -1) for item in range(train.shape[1])])
    weights = np.where((items >= 0)[:, None] & (items >= 0), np.asarray(model.B)[items][:, items], 0)
    return matrix_scorer(lambda known: np.asarray(known @ weights, dtype=np.float32), train)


def bpr(train: Any, **settings: Any) -> Scorer:
    model = BayesianPersonalizedRanking(**settings, random_state=0, num_threads=THREADS, use_gpu=False)
    model.fit(train, show_progress=False)
    return of_factors(model.user_factors, model.item_factors)


def recall(score: Scorer, side: EvaluationSet) -> float:
    ranked = rank_by(score, side, places=10, block=512)
    return round(float(recall_at(ranked.hits, ranked.relevant, 10).mean()), 6)


def bpr_within(seconds: float, train: Any, val: EvaluationSet) -> dict[str, Any]:
    """The settings that are best on validation among those that were tried within so many seconds, drawn."""
    grid = [dict(zip(BPR, values, strict=True)) for values in itertools.product(*BPR.values())]
    random.Random(0).shuffle(grid)
    best: dict[str, Any] = {}
    began = time.perf_counter()
    tried = 0
    for settings in grid:
        chosen = {name: int(value) if value >= 1 else value for name, value in settings.items()}
        value = recall(bpr(train, **chosen), val)
        tried += 1
        if value > best.get("validation_recall_at_10", -1):
            best = {"settings": chosen, "validation_recall_at_10": value}
        if time.perf_counter() - began > seconds:
            break
    return best | {"tried": tried, "of": len(grid), "seconds": round(time.perf_counter() - began, 1)}


def measured(fit: Callable[[], Scorer], test: EvaluationSet) -> dict[str, Any]:
    """Seconds to fit, and the test Recall@10."""
    began = time.perf_counter()
    score = fit()
    seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 2), "test_recall_at_10": round(recall(score, test), 4)}


def best(fit: Callable[..., Scorer], grid: Iterable[tuple[float, ...]], val: EvaluationSet) -> tuple[float, ...]:
    """Of the grid, what finds most validation songs."""
    return max(grid, key=lambda values: recall(fit(*values), val))


def main() -> None:
    copy = Path(sys.argv[1])
    if not copy.exists():
        clone(copy)
    splits, shape = split(copy, LASTFM, "lastfm", {})
    val, test = (to_find(splits, shape, side, ["train"]) for side in ("val", "test"))
    train = matrix_of(val.graph).tocsr()

    def own_item_knn(neighbours: int, shrink: float) -> Scorer:
        return matrix_scorer(fit_item_knn(train, neighbours=neighbours, shrink=shrink, user_exponent=1), train)

    with threadpool_limits(THREADS):
        own = best(own_item_knn, itertools.product(NEIGHBOURS, SHRINK), val)
        theirs = best(partial(implicit_item_knn, train), itertools.product(NEIGHBOURS), val)
        rivals = {
            "item_knn": beside(
                "implicit",
                measured(partial(own_item_knn, *own), test),
                measured(partial(implicit_item_knn, train, *theirs), test),
            )
            | {"settings": {"winnow": own, "implicit": theirs}},
            "ease": beside(
                "cornac",
                measured(lambda: matrix_scorer(fit_ease(train, l2=L2, items=train.shape[1]), train), test),
                measured(partial(cornac_ease, train), test),
            ),
        }
        report("sessions/peers", {"rivals": rivals})
        run(["dvc", "repro", "weight@sessions"], copy)
        seconds = run(["dvc", "repro", "train@sessions"], copy)
        found = bpr_within(seconds, train, val)
        found["test_recall_at_10"] = recall(bpr(train, **found["settings"]), test)
    run(["dvc", "repro", "evaluate@sessions"], copy)
    judgement = json.loads((copy / "metrics/sessions/judgement.json").read_text())
    network = {"seconds": round(seconds, 1), "test_recall_at_10": judgement["model"]["recall_at_10"]}
    ratio = round(network["test_recall_at_10"] / found["test_recall_at_10"], 4)
    report("sessions/peers", {"rivals": rivals, "network": network, "implicit_bpr": found, "recall_over_peer": ratio})


def beside(library: str, own: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {"winnow": own, library: other, "ratio": round(own["seconds"] / other["seconds"], 3)}


if __name__ == "__main__":
    main()
