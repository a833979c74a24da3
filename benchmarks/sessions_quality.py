"""The figures of docs/sessions.md: `python benchmarks/sessions_quality.py FOLDER [ROW …]`.

FOLDER becomes a clone with the real data of `../shared/data/sessions`; a row that is done is not run again. Without row
names all are run: the Last.fm rows take minutes each on one core, gowalla about an hour. `genre_gat minus gat` is made
of the rows that stand.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import ROOT, clone, report, run

from winnow.judge.intervals import bootstrap, difference, mean
from winnow.pipeline import presets

SHARED = ROOT.parent / "shared/data/sessions"
LASTFM = ("hetrec2011-lastfm-2k", "lastfm_hetrec", "user_artists.dat.gz")
GOWALLA = ("lightgcn-gowalla", "lightgcn", "train.txt.gz")
COLD = {"sessions.split.cold_ratio": 0.1}
ONE_EACH = {
    f"sessions.evaluate.baselines.{name}": value
    for name, value in {
        "knn_neighbours": [200], "ease_l2": [150.0], "als_regularisation": [100.0], "als_alpha": [20.0],
        "lightgcn_dims": [],
    }.items()
}  # fmt: skip
"""The settings that the full grids of the row `gat` chose; only there are the baselines tuned."""
BPR = {"sessions.train.loss": "bpr", "sessions.train.l2": 0.01, "sessions.train.network.temperature": 0.15}

ROWS: dict[str, tuple[tuple[str, str, str] | None, str, dict[str, Any]]] = {
    "gat": (LASTFM, "lastfm", {}),
    "genre_gat": (LASTFM, "lastfm_enhanced", ONE_EACH),
    "gat cold": (LASTFM, "lastfm", COLD | ONE_EACH),
    "genre_gat cold": (LASTFM, "lastfm_enhanced", COLD | ONE_EACH),
    "gat bpr": (LASTFM, "lastfm", BPR | ONE_EACH),
    "genre_gat bpr": (LASTFM, "lastfm_enhanced", BPR | ONE_EACH),
    "gat seed 2": (LASTFM, "lastfm", {"sessions.train.seed": 2} | ONE_EACH),
    "genre_gat seed 2": (LASTFM, "lastfm_enhanced", {"sessions.train.seed": 2} | ONE_EACH),
    "gat seed 3": (LASTFM, "lastfm", {"sessions.train.seed": 3} | ONE_EACH),
    "genre_gat seed 3": (LASTFM, "lastfm_enhanced", {"sessions.train.seed": 3} | ONE_EACH),
    "gowalla": (GOWALLA, "gowalla", {}),
    "synthetic simple": (None, "simple", {}),
    "synthetic advanced": (None, "advanced", {}),
    "synthetic enhanced": (None, "enhanced", {}),
}
COMPARED = {
    "recall_at_10": ("genre_gat", "gat", False),
    "diversity": ("genre_gat", "gat", False),
    "cold_recall_at_10": ("genre_gat cold", "gat cold", True),
    "cold_diversity": ("genre_gat cold", "gat cold", True),
}


def train_and_judge(copy: Path, name: str) -> dict[str, Any]:
    """One row of the table. What each user got is kept as `ranked/ROW.parquet` in the clone."""
    source, preset, overrides = ROWS[name]
    sources = []
    if source:
        folder, form, main = source
        for file in (SHARED / folder).iterdir():
            shutil.copy(file, copy / "data/source/sessions")
        sources = [{"format": form, "path": f"data/source/sessions/{main}", "events": None}]
    run(["git", "checkout", "-q", "params.yaml"], copy)
    run(["winnow", "preset", "sessions", preset, "--apply"], copy)
    presets.apply({"sessions.ingest.sources": sources} | overrides, copy / "params.yaml")
    run(["dvc", "repro", "plot@sessions"], copy)
    (copy / "ranked").mkdir(exist_ok=True)
    shutil.copy(copy / "data/sessions/evaluate/ranked.parquet", copy / f"ranked/{name}.parquet")
    judged = json.loads((copy / "metrics/sessions/judgement.json").read_text())
    ledger = [json.loads(line) for line in (copy / ".winnow/ledger.jsonl").read_text().splitlines()]
    last = {line["stage"]: line for line in ledger if line["outcome"] == "done"}
    trained = last["train@sessions"]
    names = (
        "verdict",
        "parameters",
        "model",
        "interval",
        "baseline",
        "baseline_settings",
        "difference",
        "truth",
        "explanations",
    )
    return {name: judged[name] for name in names if name in judged} | {
        "train_seconds": round(trained["seconds"]),
        "epoch_seconds": trained["epoch_seconds"],
        "evaluate_seconds": round(last["evaluate@sessions"]["seconds"]),
    }


def compare(copy: Path) -> dict[str, Any]:
    """genre_gat less gat over the same users (95%), as far as the rows stand."""
    found = {}
    for name, (ours, theirs, cold) in COMPARED.items():
        files = [copy / f"ranked/{row}.parquet" for row in (ours, theirs)]
        if not all(file.exists() for file in files):
            continue
        both = [
            table[(table["recommender"] == "model") & (table["cold"] == cold)] for table in map(pd.read_parquet, files)
        ]
        column = name.removeprefix("cold_")
        pairs = both[0].merge(both[1], on="user_index", validate="one_to_one")[[f"{column}_x", f"{column}_y"]].dropna()
        parted = difference(mean(pairs[f"{column}_x"]), mean(pairs[f"{column}_y"]))
        rng = np.random.default_rng(0)
        interval = bootstrap({name: parted}, len(pairs), resamples=1000, confidence=0.95, rng=rng)[name]
        found[name] = vars(interval) | {
            "mean": float((pairs.iloc[:, 0] - pairs.iloc[:, 1]).mean()),
            "users": len(pairs),
        }
    return found


def main() -> None:
    folder, *asked = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
    results = ROOT / "benchmarks/results/sessions_quality.json"
    rows = json.loads(results.read_text()) if results.exists() else {}
    for name in asked or ROWS:
        if name not in rows:
            rows[name] = train_and_judge(copy, name)
            report("sessions_quality", rows | {"genre_gat minus gat": compare(copy)})


if __name__ == "__main__":
    main()
