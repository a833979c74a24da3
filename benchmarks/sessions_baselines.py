"""HetRec's ALS over seeds, and EASE's ridges: `python benchmarks/sessions_baselines.py FOLDER`.

FOLDER becomes a clone with the real data of `../shared/data/sessions` under the preset `lastfm`. The row `gat` of
`sessions_quality.py` tunes ALS from one seed and EASE over two ridges; here ALS's chosen setting is fitted from five
seeds, and EASE is tuned on validation over more ridges. Results: `benchmarks/results/sessions_baselines.json`.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from measure import clone, merge, run
from sessions_quality import LASTFM, with_source

from winnow.domains.sessions.model.tensors import graph_of, pairs_of
from winnow.measure.ranking import recall_at
from winnow.pipeline import presets
from winnow.recommend.baselines import Fitted, fit_als, fit_ease, matrix_scorer
from winnow.recommend.graph import Matrix, matrix_of
from winnow.recommend.heldout import HeldOut, hold_out
from winnow.recommend.ranking import rank_by

SEEDS = (1, 2, 3, 4, 5)
RIDGES = (50.0, 100.0, 150.0, 300.0, 600.0)
PLACES = 10


def held_out(data: Path) -> dict[str, HeldOut]:
    """Validation and test songs of the users, known by their training songs."""
    users, songs, splits = (
        pd.read_parquet(data / name) for name in ("label/users.parquet", "label/songs.parquet", "split/splits.parquet")
    )
    part = {side: pairs_of(splits[splits["split"] == side]) for side in ("train", "val", "test")}
    graph = graph_of(splits[splits["split"] == "train"], (len(users), len(songs)))
    both = pairs_of(splits[splits["split"].isin(["train", "val"])])
    return {
        "validation": hold_out(graph, hidden=part["val"], known=part["train"]),
        "test": hold_out(graph, hidden=part["test"], known=both),
    }


def recalls(score: Fitted, train: Matrix, sides: dict[str, HeldOut]) -> dict[str, float]:
    """Recall@10 on each side."""
    found = {}
    for name, side in sides.items():
        ranked = rank_by(matrix_scorer(score, train), side, places=PLACES, block=512)
        found[f"{name}_recall_at_10"] = round(float(recall_at(ranked.hits, ranked.relevant, PLACES).mean()), 6)
    return found


def main() -> None:
    (folder,) = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
    sources = with_source(copy, LASTFM)
    run(["winnow", "preset", "sessions", "lastfm", "--apply"], copy)
    presets.apply({"sessions.ingest.sources": sources}, copy / "params.yaml")
    run(["dvc", "repro", "split@sessions"], copy)
    sides = held_out(copy / "data/sessions")
    train = matrix_of(sides["validation"].graph)
    als = {
        f"seed {seed}": recalls(
            fit_als(train, factors=200, ridge=100.0, alpha=20.0, rounds=10, seed=seed), train, sides
        )
        for seed in SEEDS
    }
    spread = [row["test_recall_at_10"] for row in als.values()]
    over = {"test_mean": round(float(np.mean(spread)), 6), "test_sd": round(float(np.std(spread, ddof=1)), 6)}
    ease = {f"l2 {ridge:.0f}": recalls(fit_ease(train, l2=ridge, items=5000), train, sides) for ridge in RIDGES}
    merge("sessions_baselines", {"als": als | {"over_seeds": over}, "ease": ease})


if __name__ == "__main__":
    main()
