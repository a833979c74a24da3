"""The figures of real and generated playlists: `python -m benchmarks.playlists.quality FOLDER [ROW …]`.

FOLDER becomes a clone with the lists of `$WINNOW_SHARED_DATA/playlists/mpd-7k`; a row that is done is not run again.
The rows `mpd …` judge the network on all of them, the others are the presets by size: three on real lists, `full` and
`default` on generated ones. One row is a run of all eight stages; seconds and memory are the ledger's.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.measure import clone, data_of, kept, merge, run
from winnow.pipeline import presets

SHARED = data_of("playlists") / "mpd-7k"
FOLDER = "data/source/playlists/mpd-7k"
BPR = {"playlists.train.loss": "bpr", "playlists.train.network.temperature": 0.5}
ONE_EACH = {
    f"playlists.evaluate.baselines.{name}": values[:1]
    for name, values in {
        "knn_neighbours": [50], "knn_shrink": [20.0], "ease_l2": [400.0], "als_factors": [64],
        "als_regularisation": [100.0], "artist_weights": [1.6], "recency_decays": [5.0], "recency_floors": [0.1],
        "filter_factors": [128], "filter_alphas": [0.3],
    }.items()
}  # fmt: skip
"""Only in the row `mpd` are the baselines tuned."""
FOUND_BEST = ONE_EACH | {
    f"playlists.evaluate.baselines.{name}": [value]
    for name, value in {
        "knn_neighbours": 200, "knn_shrink": 10.0, "recency_floors": 0.01, "filter_alphas": 0.0,
    }.items()
}  # fmt: skip
"""What the row `mpd` found best of item-kNN with recency, alone and with artists, and of the graph filter."""

EARLIER = {"playlists.train.blend.floor": 0.1, "playlists.train.blend.artist_weight": 0.0}
"""The blend's before tuning the baselines showed that a lower floor and the artists find more validation tracks."""

ORDERED = {
    f"playlists.evaluate.baselines.{name}": values
    for name, values in {
        "included": ["popularity", "item_knn_recency_artist", "item_knn_ordered", "stan", "sequential_rules"],
        "knn_neighbours": [200], "knn_shrink": [10.0, 20.0, 40.0], "artist_weights": [0.1, 0.4, 1.6, 6.4],
        "genre_weights": [0.0],
        "recency_decays": [5.0], "recency_floors": [0.01], "ordered_distances": [10.0, 40.0, 160.0],
        "stan_lists": [50, 100, 400], "stan_decays": [5.0], "stan_spreads": [5.0, 20.0, 80.0],
        "rules_reach": [10, 40, 160], "tuning_playlists": 300,
    }.items()
} | {
    f"playlists.train.blend.{name}": value
    for name, value in {"neighbours": 200, "shrink": 10.0, "distance": 40.0, "genre_weight": 0.0}.items()
}  # fmt: skip
"""The blend and the baselines read the order; settings about those that `mpd` found best."""

ROWS: dict[str, tuple[bool, str | None, dict[str, Any]]] = {
    "mpd": (True, "mpd", EARLIER | {"playlists.evaluate.baselines.tuning_playlists": 600}),
    "mpd floor": (True, "mpd", {"playlists.train.blend.artist_weight": 0.0} | FOUND_BEST),
    "mpd artists": (True, "mpd", FOUND_BEST),
    "mpd artists seed 2": (True, "mpd", {"playlists.train.seed": 2} | FOUND_BEST),
    "mpd bpr": (True, "mpd", EARLIER | BPR | ONE_EACH),
    "mpd ordered": (True, "mpd", ORDERED),
    "quick ordered": (True, "quick", ORDERED | {"playlists.evaluate.explanation_checks": 50}),
    "mpd seed 2": (True, "mpd", EARLIER | {"playlists.train.seed": 2} | ONE_EACH),
    "mini": (True, "mini", {}),
    "quick": (True, "quick", {}),
    "balanced": (True, "balanced", {}),
    "full": (False, "full", {}),
    "default": (False, None, {}),
} | {
    f"without {part}{f' seed {seed}' if seed > 1 else ''}": (
        False,
        None,
        {
            "playlists.train.network.without": [] if part == "nothing" else part.split(" and "),
            "playlists.train.seed": seed,
            "playlists.evaluate.baselines.included": ["popularity", "item_knn_ordered"],
        },
    )
    for seed in (1, 2, 3)
    for part in (
        "nothing", "content_attention", "query", "query and content_attention", "own_vectors", "walk", "genres",
        "artists",
    )
} | {
    f"convolution {name}": (
        False,
        None,
        {
            "playlists.train.network.convolution": name,
            "playlists.evaluate.baselines.included": ["popularity", "item_knn_ordered"],
        },
    )
    for name in ("own", "GATConv", "GATv2Conv", "TransformerConv", "SAGEConv", "LGConv", "HeteroConv", "HGTConv")
}  # fmt: skip
"""Whether the lists are the real ones, the preset, and further values."""


def train_and_judge(copy: Path, name: str) -> dict[str, Any]:
    """One row of the table."""
    real, preset, overrides = ROWS[name]
    run(["git", "checkout", "-q", "params.yaml"], copy)
    if preset:
        run(["winnow", "preset", "playlists", preset, "--apply"], copy)
    sources = [{"format": "mpd", "path": FOLDER}] if real else []
    presets.apply({"playlists.ingest.sources": sources} | overrides, copy / "params.yaml")
    run(["dvc", "repro", "plot@playlists"], copy)
    judged = json.loads((copy / "metrics/playlists/judgement.json").read_text())
    ledger = [json.loads(line) for line in (copy / ".winnow/ledger.jsonl").read_text().splitlines()]
    last = {line["stage"].partition("@")[0]: line for line in ledger if line["outcome"] == "done"}
    seeds = pd.read_parquet(copy / "data/playlists/evaluate/seeds.parquet")
    by_seeds: dict[str, Any] = {}
    for row in seeds.to_dict("records"):
        group = by_seeds.setdefault("unseen" if row.pop("unseen") else "seen", {})
        group.setdefault(row.pop("recommender"), {})[str(row.pop("seeds"))] = row
    return judged | {
        "seeds": by_seeds,
        "label": json.loads((copy / "metrics/playlists/label.json").read_text()),
        "split": json.loads((copy / "metrics/playlists/split.json").read_text()),
        "epoch_seconds": last["train"]["epoch_seconds"],
        "train_minutes": sum(last["train"]["epoch_seconds"]) / 60,
        "train_peak_gib": last["train"]["peak_mib"] / 1024,
        "stage_seconds": {stage: line["seconds"] for stage, line in last.items()},
        "peak_gib": max(line["peak_mib"] for line in last.values()) / 1024,
        "whole_minutes": sum(line["seconds"] for line in last.values()) / 60,
    }


def main() -> None:
    folder, *asked = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
        if SHARED.is_dir():
            shutil.copytree(SHARED, copy / FOLDER)
    for name in asked or ROWS:
        if name not in kept("playlists/quality"):
            merge("playlists/quality", {name: train_and_judge(copy, name)})


if __name__ == "__main__":
    main()
