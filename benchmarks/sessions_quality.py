"""The figures of docs/sessions.md on real data: `python benchmarks/sessions_quality.py FOLDER [ROW …]`.

FOLDER becomes a clone with the real data of `../shared/data/sessions`; a row that is done is not run again. Without row
names all are run: the Last.fm rows take minutes each on one core, gowalla about an hour.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from measure import ROOT, clone, report, run

from winnow.pipeline import presets

SHARED = ROOT.parent / "shared/data/sessions"
LASTFM = ("hetrec2011-lastfm-2k", "lastfm_hetrec", "user_artists.dat.gz")
GOWALLA = ("lightgcn-gowalla", "lightgcn", "train.txt.gz")
COLD = {"sessions.split.cold_ratio": 0.1}
QUICK = {"sessions.evaluate.baselines.lightgcn_dims": [], "sessions.evaluate.baselines.knn_neighbours": [200]}
BPR = {"sessions.train.loss": "bpr", "sessions.train.l2": 0.01, "sessions.train.network.temperature": 0.15}

ROWS: dict[str, tuple[tuple[str, str, str], str, dict[str, Any]]] = {
    "gat": (LASTFM, "lastfm", {}),
    "gat seed 2": (LASTFM, "lastfm", {"sessions.train.seed": 2} | QUICK),
    "gat seed 3": (LASTFM, "lastfm", {"sessions.train.seed": 3} | QUICK),
    "gat bpr": (LASTFM, "lastfm", BPR | QUICK),
    "gat cold": (LASTFM, "lastfm", COLD | QUICK),
    "genre_gat": (LASTFM, "lastfm_enhanced", QUICK),
    "genre_gat seed 2": (LASTFM, "lastfm_enhanced", {"sessions.train.seed": 2} | QUICK),
    "genre_gat seed 3": (LASTFM, "lastfm_enhanced", {"sessions.train.seed": 3} | QUICK),
    "genre_gat bpr": (LASTFM, "lastfm_enhanced", BPR | QUICK),
    "genre_gat cold": (LASTFM, "lastfm_enhanced", COLD | QUICK),
    "gowalla": (GOWALLA, "gowalla", {}),
}


def train_and_judge(copy: Path, source: tuple[str, str, str], preset: str, overrides: dict[str, Any]) -> dict[str, Any]:
    """One row of the table."""
    folder, form, main = source
    target = copy / "data/source/sessions"
    for file in (SHARED / folder).iterdir():
        shutil.copy(file, target)
    run(["git", "checkout", "-q", "params.yaml"], copy)
    run(["winnow", "preset", "sessions", preset, "--apply"], copy)
    sources = [{"format": form, "path": f"data/source/sessions/{main}", "events": None}]
    presets.apply({"sessions.ingest.sources": sources} | overrides, copy / "params.yaml")
    run(["dvc", "repro", "plot@sessions"], copy)
    judged = json.loads((copy / "metrics/sessions/evaluate.json").read_text())
    ledger = [json.loads(line) for line in (copy / ".winnow/ledger.jsonl").read_text().splitlines()]
    trained = [line for line in ledger if line["stage"] == "train@sessions" and line["outcome"] == "done"][-1]
    names = ("verdict", "parameters", "model", "interval", "baseline", "baseline_settings", "difference")
    return {name: judged[name] for name in names} | {
        "train_minutes": round(trained["seconds"] / 60, 1),
        "epoch_seconds": trained["epoch_seconds"],
    }


def main() -> None:
    folder, *asked = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
    results = ROOT / "benchmarks/results/sessions_quality.json"
    rows = json.loads(results.read_text()) if results.exists() else {}
    for name in asked or ROWS:
        if name not in rows:
            rows[name] = train_and_judge(copy, *ROWS[name])
            report("sessions_quality", rows)


if __name__ == "__main__":
    main()
