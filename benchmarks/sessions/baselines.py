"""Baselines beyond the presets' grids: `python -m benchmarks.sessions.baselines FOLDER hetrec|hetrec_item_knn|gowalla`.

FOLDER becomes a clone with the data of `$WINNOW_SHARED_DATA/sessions`. The row `gat` of `quality.py` tunes ALS
from one seed and EASE over two ridges, and the row `gowalla` has one setting of item-kNN: here ALS's chosen setting is
fitted to HetRec from five seeds, EASE is tuned over more ridges, and item-kNN over more neighbours, shrinkages and
weightings, on a fifth of Gowalla's training rows. Results: `benchmarks/sessions/results/baselines.json`.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.measure import clone, merge, run
from benchmarks.sessions.quality import GOWALLA, LASTFM, with_source
from winnow.domains.sessions.model.tensors import graph_of, pairs_of
from winnow.measure.ranking import recall_at
from winnow.pipeline import presets
from winnow.recommend.baselines import Fitted, fit_als, fit_ease, fit_item_knn, matrix_scorer
from winnow.recommend.evaluation_set import EvaluationSet, evaluation_set
from winnow.recommend.graph import matrix_of
from winnow.recommend.ranking import rank_by
from winnow.recommend.tuning import stepwise

SEEDS = (1, 2, 3, 4, 5)
RIDGES = (50.0, 100.0, 150.0, 300.0, 600.0)
NEIGHBOURS = (50, 100, 200, 500, 1000)
SHRINKAGES = (0.0, 5.0, 20.0, 50.0, 100.0, 200.0)
ASYMMETRIES = (0.5, 0.4, 0.3, 0.2)
USER_EXPONENTS = (0.0, 0.5, 1.0)
VALIDATED = 6000
"""Gowalla's users by whom item-kNN is tuned, the first ones."""


def split(
    copy: Path, source: tuple[str, str, str], preset: str, values: Mapping[str, Any]
) -> tuple[pd.DataFrame, tuple[int, int]]:
    """The split's table under a preset, and the numbers of users and songs."""
    run(["git", "checkout", "-q", "params.yaml"], copy)
    run(["winnow", "preset", "sessions", preset, "--apply"], copy)
    presets.apply({"sessions.ingest.sources": with_source(copy, source), **values}, copy / "params.yaml")
    run(["dvc", "repro", "split@sessions"], copy)
    users, songs, splits = (
        pd.read_parquet(copy / "data/sessions" / name)
        for name in ("label/users.parquet", "label/songs.parquet", "split/splits.parquet")
    )
    return splits, (len(users), len(songs))


def to_find(splits: pd.DataFrame, shape: tuple[int, int], side: str, learned: list[str]) -> EvaluationSet:
    """The songs of a split, of users known by the songs of the splits learned from; no song of training is listed."""
    known = splits[splits["split"].isin(["train", "val"] if side == "test" else ["train"])]
    graph = graph_of(splits[splits["split"].isin(learned)], shape)
    return evaluation_set(graph, hidden=pairs_of(splits[splits["split"] == side]), known=pairs_of(known))


def recall(score: Fitted, side: EvaluationSet, places: int) -> float:
    ranked = rank_by(matrix_scorer(score, matrix_of(side.graph)), side, places=places, block=512)
    return round(float(recall_at(ranked.hits, ranked.relevant, places).mean()), 6)


def hetrec(copy: Path) -> dict[str, Any]:
    """Recall@10 on validation and test."""
    splits, shape = split(copy, LASTFM, "lastfm", {})
    found = {split: to_find(splits, shape, split, ["train"]) for split in ("val", "test")}
    train = matrix_of(found["val"].graph)

    def judged(score: Fitted) -> dict[str, float]:
        return {
            "validation_recall_at_10": recall(score, found["val"], 10),
            "test_recall_at_10": recall(score, found["test"], 10),
        }

    als = {
        f"seed {seed}": judged(fit_als(train, factors=200, ridge=100.0, alpha=20.0, rounds=10, seed=seed))
        for seed in SEEDS
    }
    spread = [row["test_recall_at_10"] for row in als.values()]
    over = {"test_mean": round(float(np.mean(spread)), 6), "test_sd": round(float(np.std(spread, ddof=1)), 6)}
    ease = {f"l2 {ridge:.0f}": judged(fit_ease(train, l2=ridge, items=5000)) for ridge in RIDGES}
    return {"als": als | {"over_seeds": over}, "ease": ease}


def hetrec_item_knn(copy: Path) -> dict[str, Any]:
    """item-kNN's Recall@10 on validation and, of the best settings, on the test."""
    splits, shape = split(copy, LASTFM, "lastfm", {})
    val, test = (to_find(splits, shape, split, ["train"]) for split in ("val", "test"))
    return {"hetrec item_knn": item_knn(val, test, 10, True)}


def gowalla(copy: Path) -> dict[str, Any]:
    """item-kNN's Recall@20 on held-out training rows, and of the best settings, fitted to all rows, on the test.

    Once by the plain cosine, and once with popular items and active users weighted too.
    """
    splits, shape = split(copy, GOWALLA, "gowalla", {"sessions.split.val_ratio": 0.2})
    test = to_find(splits, shape, "test", ["train", "val"])
    val = to_find(splits[(splits["split"] != "val") | (splits["user_index"] < VALIDATED)], shape, "val", ["train"])
    return {
        "gowalla item_knn": item_knn(val, test, 20, False),
        "gowalla item_knn weighted": item_knn(val, test, 20, True),
    }


def item_knn(val: EvaluationSet, test: EvaluationSet, places: int, weighted: bool) -> dict[str, Any]:
    """The settings that are best on `val`, one changed after the other, and Recall@`places` on both."""
    grids: dict[str, Sequence[float]] = {"neighbours": NEIGHBOURS, "shrink": SHRINKAGES}
    if weighted:
        grids |= {"asymmetry": ASYMMETRIES, "user_exponent": USER_EXPONENTS}
    train, learned = matrix_of(val.graph), matrix_of(test.graph)

    def measure(own: Mapping[str, float]) -> float:
        value = recall(fit_item_knn(train, **settings_of(own)), val, places)
        print(own, value, flush=True)
        return value

    best, value = stepwise(grids, measure)
    score = recall(fit_item_knn(learned, **settings_of(best)), test, places)
    return best | {f"validation_recall_at_{places}": value, f"test_recall_at_{places}": score}


def settings_of(chosen: Mapping[str, float]) -> dict[str, Any]:
    return dict(chosen) | {"neighbours": int(chosen["neighbours"])}


def main() -> None:
    folder, what = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
    merge("sessions/baselines", {"hetrec": hetrec, "hetrec_item_knn": hetrec_item_knn, "gowalla": gowalla}[what](copy))


if __name__ == "__main__":
    main()
