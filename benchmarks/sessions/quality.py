"""The figures of real and generated listeners: `python -m benchmarks.sessions.quality FOLDER [ROW …]`.

FOLDER becomes a clone with the data of `$WINNOW_SHARED_DATA/sessions`; a row that is done is not run again. Without row
names all are run: the Last.fm rows take minutes each on one core, gowalla about an hour. What each user got in the rows
that are compared is kept in `benchmarks/sessions/results/users.safetensors`; `genre_gat minus gat` is made of it.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file

from benchmarks.measure import BENCHMARKS, clone, data_of, kept, merge, run
from winnow.judge.intervals import bootstrap, mean
from winnow.pipeline import presets
from winnow.pipeline.params import Document

SHARED = data_of("sessions")
LASTFM = ("hetrec2011-lastfm-2k", "lastfm_hetrec", "user_artists.dat.gz")
GOWALLA = ("lightgcn-gowalla", "lightgcn", "train.txt.gz")
USERS = BENCHMARKS / "sessions" / "results" / "users.safetensors"
COLD = {"sessions.split.cold_ratio": 0.1}
ONE_EACH = {
    f"sessions.evaluate.baselines.{name}": value
    for name, value in {
        "knn_neighbours": [500], "knn_shrink": [5.0], "filter_factors": [128], "filter_alphas": [0.1],
        "filter_sharpenings": [0.0], "ease_l2": [150.0], "als_regularisation": [100.0], "als_alpha": [20.0],
        "lightgcn_dims": [],
    }.items()
}  # fmt: skip
"""The settings that the full grids of the row `gat` chose; only there are the baselines tuned."""
DEGREE = {"sessions.train.network.attention": "degree"}
BPR = {
    "sessions.train.loss": "bpr", "sessions.weight.negatives": "uniform", "sessions.train.network.temperature": 0.15
}  # fmt: skip
"""Chosen on validation by choice.py."""
NARROW = {
    "sessions.train.phases": [
        {"subset": "all", "epochs": 22, "learning_rate": 0.01}, {"subset": "all", "epochs": 10, "learning_rate": 0.001}
    ],
    "sessions.train.ema_decay": 0.0,
    "sessions.train.negatives": 4096,
    "sessions.train.network.embedding_dim": 64,
    "sessions.train.network.layers": 3,
    "sessions.train.network.temperature": 0.3,
    "sessions.train.network.filter_weight": [0.0],
    "sessions.evaluate.baselines.ease_songs": 12000,
}  # fmt: skip
"""Gowalla's network as it was at first."""

ROWS: dict[str, tuple[tuple[str, str, str] | None, str | None, dict[str, Any]]] = {
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
    "gat degree": (LASTFM, "lastfm", DEGREE | ONE_EACH),
    "gowalla": (GOWALLA, "gowalla", {}),
    "gowalla 64 dimensions": (GOWALLA, "gowalla", NARROW),
    "default": (None, None, {}),
    "default degree": (None, None, DEGREE),
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
    """One row of the table."""
    source, preset, overrides = ROWS[name]
    sources = with_source(copy, source) if source else []
    run(["git", "checkout", "-q", "params.yaml"], copy)
    if preset:
        run(["winnow", "preset", "sessions", preset, "--apply"], copy)
    presets.apply({"sessions.ingest.sources": sources} | overrides, copy / "params.yaml")
    run(["dvc", "repro", "plot@sessions"], copy)
    return measured(copy, name)


def with_source(copy: Path, source: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Copy the files of a source into the clone; gives what `sessions.ingest.sources` is then."""
    folder, form, main = source
    for file in (SHARED / folder).iterdir():
        shutil.copy(file, copy / "data/source/sessions")
    return [{"format": form, "path": f"data/source/sessions/{main}", "events": None}]


def measured(copy: Path, name: str) -> dict[str, Any]:
    """The row of what was run last."""
    keep_users(name, pd.read_parquet(copy / "data/sessions/evaluate/ranked.parquet"))
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
        "reference",
        "explanations",
        "filter_weight",
    )
    return {name: judged[name] for name in names if name in judged} | {
        "seed": Document(copy / "params.yaml").content["sessions"]["train"]["seed"],
        "train_seconds": round(trained["seconds"]),
        "epoch_seconds": trained["epoch_seconds"],
        "evaluate_seconds": round(last["evaluate@sessions"]["seconds"]),
    }


def keep_users(row: str, ranked: pd.DataFrame) -> None:
    """Add what the model gave each user to the kept values of the rows that are compared, by the user's number."""
    wanted, values = compared(row), kept_users()
    for key, (metric, cold) in wanted.items():
        own = ranked[(ranked["recommender"] == "model") & (ranked["cold"] == cold)]
        by_number = own.set_index("user_index")[metric]
        values[key] = by_number.reindex(range(by_number.index.max() + 1)).to_numpy(np.float32)
    if wanted:
        save_file(dict(sorted(values.items())), USERS)


def compared(row: str) -> dict[str, tuple[str, bool]]:
    """The metrics of a row's users that comparisons need: `ROW/COMPARISON` to (column, whether of cold-start users)."""
    return {
        f"{row}/{name}": (name.removeprefix("cold_"), cold) for name, (*rows, cold) in COMPARED.items() if row in rows
    }


def kept_users() -> dict[str, np.ndarray]:
    """`ROW/COMPARISON`: (users,), NaN where a user has no such value."""
    return load_file(USERS) if USERS.exists() else {}


def compare() -> dict[str, Any]:
    """genre_gat less gat over the same users (95%), of the rows whose users are kept."""
    values, found = kept_users(), {}
    for name, (ours, theirs, _) in COMPARED.items():
        if not {f"{ours}/{name}", f"{theirs}/{name}"} <= set(values):
            continue
        apart = (values[f"{ours}/{name}"] - values[f"{theirs}/{name}"]).astype(np.float64)
        apart = apart[~np.isnan(apart)]
        rng = np.random.default_rng(0)
        interval = bootstrap({name: mean(apart)}, len(apart), resamples=1000, confidence=0.95, rng=rng)[name]
        found[name] = vars(interval) | {"mean": float(apart.mean()), "users": len(apart)}
    return found


def main() -> None:
    folder, *asked = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
    for name in asked or ROWS:
        done = name in kept("sessions/quality") and set(compared(name)) <= set(kept_users())
        if not done:
            merge("sessions/quality", {name: train_and_judge(copy, name)})
    earlier = kept("sessions/quality").get("genre_gat minus gat", {})
    merge("sessions/quality", {"genre_gat minus gat": earlier | compare()})


if __name__ == "__main__":
    main()
