"""BPR on HetRec's listeners, tuned on validation: `python -m benchmarks.sessions.choice FOLDER [NAME …]`.

FOLDER becomes a clone with the real data of `$WINNOW_SHARED_DATA/sessions`. Every setting is trained on top of
`winnow preset sessions lastfm`, without the graph filter; nothing is evaluated in the test split. The best validation
Recall@10 of each, and its epoch, are in `benchmarks/sessions/results/choice.json`; what is done is not run again.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measure import clone, kept, merge, run
from benchmarks.sessions.quality import LASTFM, with_source
from winnow.pipeline import presets

LOSS, TEMPERATURE, L2 = "sessions.train.loss", "sessions.train.network.temperature", "sessions.train.l2"
RATE, NEGATIVES = "sessions.train.learning_rate", "sessions.weight.negatives"
LONGER = {"sessions.train.epochs": 200, "sessions.train.early_stopping.patience": 20}
TRIED: dict[str, dict[str, Any]] = {
    "popular negatives, temperature 0.15, l2 0.01": {TEMPERATURE: 0.15, L2: 0.01},
    "temperature 0.15": {NEGATIVES: "uniform", TEMPERATURE: 0.15},
    "temperature 0.15, l2 0.001": {NEGATIVES: "uniform", TEMPERATURE: 0.15, L2: 0.001},
    "temperature 0.15, learning rate 0.01": {NEGATIVES: "uniform", TEMPERATURE: 0.15, RATE: 0.01},
    "temperature 0.15, patience 20": {NEGATIVES: "uniform", TEMPERATURE: 0.15} | LONGER,
    "temperature 0.3, patience 20": {NEGATIVES: "uniform", TEMPERATURE: 0.3} | LONGER,
}


def validated(copy: Path, values: dict[str, Any]) -> dict[str, float]:
    """Train with these settings; the best epoch by validation Recall@10."""
    sources = with_source(copy, LASTFM)
    run(["git", "checkout", "-q", "params.yaml"], copy)
    run(["winnow", "preset", "sessions", "lastfm", "--apply"], copy)
    fixed = {"sessions.ingest.sources": sources, LOSS: "bpr", "sessions.train.network.filter_weight": [0.0]}
    presets.apply(fixed | values, copy / "params.yaml")
    run(["dvc", "repro", "train@sessions"], copy)
    curve = pd.read_csv(copy / "metrics/sessions/train/plots/metrics/val/recall_at_10.tsv", sep="\t")["recall_at_10"]
    return {"validation_recall_at_10": round(curve.max(), 6), "epoch": int(curve.argmax()) + 1, "epochs": len(curve)}


def main() -> None:
    folder, *asked = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
    for name in asked or TRIED:
        if name not in kept("sessions/choice"):
            merge("sessions/choice", {name: validated(copy, TRIED[name])})


if __name__ == "__main__":
    main()
