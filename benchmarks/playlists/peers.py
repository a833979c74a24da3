"""
The completer beside implicit's recommenders: the same playlists, the same processor time, the same held-out tracks.

    python -m benchmarks.playlists.peers

Needs `uv pip install --no-deps cornac==3.0.1 powerlaw`. The embedded playlists. Each of implicit's
item-kNN, ALS and BPR may use as much processor time as the domain's train program, imports included, to find its
settings on the validation tracks, drawn from its grid; the best is fitted anew to all that was known before the test.
"""

import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import BM25Recommender, CosineRecommender, TFIDFRecommender
from threadpoolctl import threadpool_limits

from benchmarks.measure import clone, processor_seconds, report, run
from benchmarks.pipeline.throughput import prepare
from benchmarks.sessions.peers import of_factors, recall
from winnow.domains.playlists.evaluation.baselines import give
from winnow.recommend.baselines import matrix_scorer
from winnow.recommend.ranking import Scorer

KINDS = {"cosine": CosineRecommender, "tfidf": TFIDFRecommender, "bm25": BM25Recommender}
GRIDS: dict[str, dict[str, Sequence[Any]]] = {
    "item_knn": {"kind": tuple(KINDS), "neighbours": (20, 50, 100, 200, 500)},
    "als": {"factors": (32, 64, 128), "regularization": (1.0, 10.0, 100.0), "alpha": (1.0, 10.0, 40.0)},
    "bpr": {"factors": (32, 64, 128), "learning_rate": (0.01, 0.05), "regularization": (0.001, 0.01, 0.1)},
}


def item_knn(known: Any, *, kind: str, neighbours: int) -> Scorer:
    model = KINDS[kind](neighbours + 1, num_threads=1)  # a track is its own first neighbour
    model.fit(known, show_progress=False)
    similar = model.similarity.tolil()
    similar.setdiag(0)
    similar = similar.tocsr()
    return matrix_scorer(lambda lists: (lists @ similar).toarray().astype("float32"), known)


def als(known: Any, **settings: Any) -> Scorer:
    model = AlternatingLeastSquares(**settings, iterations=15, random_state=0, num_threads=1, use_gpu=False)
    model.fit(known, show_progress=False)
    return of_factors(model.user_factors, model.item_factors)


def bpr(known: Any, **settings: Any) -> Scorer:
    model = BayesianPersonalizedRanking(**settings, iterations=100, random_state=0, num_threads=1, use_gpu=False)
    model.fit(known, show_progress=False)
    return of_factors(model.user_factors, model.item_factors)


FITS: dict[str, Callable[..., Scorer]] = {"item_knn": item_knn, "als": als, "bpr": bpr}


def best_within(seconds: float, name: str, given: Any) -> dict[str, Any]:
    """The settings of the highest validation Recall@10 within so many seconds, and what they find of the test."""
    grid = [dict(zip(GRIDS[name], values, strict=True)) for values in itertools.product(*GRIDS[name].values())]
    random.Random(0).shuffle(grid)
    train, known = given.train.matrix().tocsr(), given.known.matrix().tocsr()
    found: list[tuple[float, int]] = []
    began = time.process_time()
    while len(found) < len(grid) and time.process_time() - began < seconds:
        found.append((recall(FITS[name](train, **grid[len(found)]), given.val), len(found)))
    value, chosen = max(found)
    return {
        "settings": grid[chosen],
        "tried": len(found),
        "of": len(grid),
        "seconds": round(time.process_time() - began, 1),
        "validation_recall_at_10": value,
        "test_recall_at_10": recall(FITS[name](known, **grid[chosen]), given.test),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(clone(Path(scratch, "winnow")))
        prepare("playlists")
        seconds = processor_seconds([sys.executable, "-m", "stages.playlists.train"], Path.cwd())
        run([sys.executable, "-m", "stages.playlists.evaluate"], Path.cwd())
        judged = json.loads(Path("metrics/playlists/judgement.json").read_text())
        tables = Path("data/playlists")
        shape = [len(pd.read_parquet(tables / f"label/{name}.parquet")) for name in ("playlists", "tracks")]
        splits = pd.read_parquet(tables / "split/splits.parquet")
        given = give(splits, (shape[0], shape[1]), tuned_on=10**9, tested_on=10**9)
        with threadpool_limits(1):
            peers = {name: best_within(seconds, name, given) for name in GRIDS}
    ours = judged["model"]["recall_at_10"]
    best = max(peers.values(), key=lambda found: found["validation_recall_at_10"])
    report(
        "playlists/peers",
        {
            "winnow": {"test_recall_at_10": ours, "seconds": round(seconds, 1)},
            "implicit": peers,
            "recall_over_peer": round(ours / best["test_recall_at_10"], 4),
        },
    )


if __name__ == "__main__":
    main()
