"""The strategies on the real files, weighted and not: `python -m benchmarks.climb.strategies FOLDER`.

FOLDER becomes a clone with the data of `$WINNOW_SHARED_DATA/climb` as its sources; a row that is done is not run again.
All rows are judged on the same two test sets. About two hours on one core. Further seeds of some rows:

    python -m benchmarks.climb.strategies FOLDER --rows "full weighted" --seeds 1 2 3
"""

import argparse
import json
import shutil
from pathlib import Path

import pandas as pd

from benchmarks.measure import clone, data_of, kept, merge, run
from winnow.curate.split_names import SPLITS
from winnow.domains.climb.evaluation import baselines
from winnow.domains.climb.evaluation.routes import judge_routes, peer_routes, route_metrics
from winnow.domains.climb.model.grades import fit_judge
from winnow.domains.climb.model.sequences import encode
from winnow.domains.climb.params import Common, Evaluate
from winnow.measure.likelihood import perplexity
from winnow.pipeline import presets
from winnow.pipeline.params import Document

STRATEGIES = ("benchmark", "quality", "full", "progressive")
ENSEMBLE = "ensemble"
"""A row on demand: three times the time."""
FORMATS = {
    "app_benchmarks_2016-40": "app",
    "app_benchmarks_2017-25": "app",
    "app_benchmarks_2017-40": "app",
    "app_benchmarks_2019-25": "app",
    "app_benchmarks_2019-40": "app",
    "app_benchmarks_2020-40": "app",
    "guidebook_benchmarks": "guidebook",
    "minimal_2016": "minimal",
    "web_masters2017_40": "web",
}
PEERS = "peer_generated_2016"


def with_real_data(folder: Path) -> Path:
    """A clone whose climb sources are the real files."""
    copy = clone(folder)
    target = copy / "data/source/climb"
    for name in (*FORMATS, PEERS):
        shutil.copy(data_of("climb") / f"{name}.json.gz", target)
    sources = [{"format": form, "path": f"data/source/climb/{name}.json.gz"} for name, form in FORMATS.items()]
    peers = [{"board": "2016", "path": f"data/source/climb/{PEERS}.json.gz"}]
    presets.apply({"climb.ingest.sources": sources, "climb.ingest.peers": peers}, copy / "params.yaml")
    return copy


def train_and_judge(copy: Path, strategy: str, weighted: bool, seed: int) -> dict[str, object]:
    """One row of the table."""
    run(["git", "checkout", "-q", "params.yaml"], copy)
    run(["winnow", "preset", "climb", strategy, "--apply"], copy)
    presets.apply({"climb.train.weighted": weighted, "climb.train.seed": seed}, copy / "params.yaml")
    run(["dvc", "repro", "plot@climb"], copy)
    judged = json.loads((copy / "metrics/climb/judgement.json").read_text())
    split = json.loads((copy / "metrics/climb/split.json").read_text())
    checkpoint = json.loads((copy / "data/climb/train/checkpoints/final/checkpoint.json").read_text())
    history, trained_with = checkpoint["history"], checkpoint["params"]
    ledger = [json.loads(line) for line in (copy / ".winnow/ledger.jsonl").read_text().splitlines()]
    trained = [line for line in ledger if line["stage"] == "train@climb" and line["outcome"] == "done"][-1]
    subset = strategy if strategy in split["subsets"] else "full"
    return {
        "routes": split["subsets"][subset]["train"],
        "seed": seed,
        "ema_decay": trained_with["ema_decay"],
        "epochs_run": len(history),
        "validation_loss": round(min(record["val"]["loss"] for record in history), 5),
        "minutes": round(trained["seconds"] / 60, 1),
        "verdict": judged["verdict"],
        "model": judged["model"],
        "interval": judged["interval"],
        "bigram": judged["baseline"]["bigram"],
        "grade_bigram": judged["baseline"]["grade_bigram"],
        "real_test_routes": judged["reference"]["real_test_routes"],
        "c2st": {board: {"auc": each["auc"], **each["interval"]} for board, each in judged["c2st"].items()},
        "distance_from_test_routes": judged["distance_from_test_routes"],
    }


def ngrams(copy: Path) -> dict[str, dict[str, float]]:
    """The n-gram models on the test routes of `full`, without any training of a network."""
    run(["git", "checkout", "-q", "params.yaml"], copy)
    run(["dvc", "repro", "split@climb"], copy)
    data = copy / "data/climb"
    labels, tokens = (pd.read_parquet(data / f"label/{name}.parquet") for name in ("labels", "tokens"))
    splits = pd.read_parquet(data / "split/splits.parquet").set_index("route_id")["split"]
    side = labels["route_id"].map(splits)
    train, val, test = (encode(labels[side == name], tokens) for name in SPLITS)
    found = {}
    for name in baselines.NAMES:
        model = baselines.fit(name, train, val)
        found[name] = {
            f"{prefix}perplexity": round(perplexity(model.route_nll(each), each.lengths), 4)
            for prefix, each in {"": test, "validation_": val}.items()
        }
    return found


def peers(copy: Path) -> dict[str, dict[str, float]]:
    """Other people's generated routes, as evaluate judges them; their grades are not known."""
    data, params = copy / "data/climb", Document(copy / "params.yaml")
    labels, tokens = (pd.read_parquet(data / f"label/{name}.parquet") for name in ("labels", "tokens"))
    splits = pd.read_parquet(data / "split/splits.parquet").set_index("route_id")["split"]
    train = encode(labels[labels["route_id"].map(splits) == "train"], tokens)
    judge = fit_judge(train, **params.section(("climb", "evaluate"), Evaluate).grade_judge.model_dump(), seed=0)
    common = params.section(("climb", "common"), Common)
    found = {}
    for name, holds in pd.read_parquet(data / "ingest/peers.parquet").groupby("peer"):
        routes = peer_routes(holds, 40)
        judged = judge_routes(str(name), routes, train=train, judge=judge, common=common)
        found[str(name)] = {"routes": len(judged)} | {
            metric: round(value, 4) for metric, value in route_metrics(judged, routes.sequences).items()
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    rows = [f"{strategy}{suffix}" for strategy in STRATEGIES for suffix in ("", " weighted")]
    parser.add_argument("--rows", nargs="+", choices=[*rows, ENSEMBLE], default=rows)
    parser.add_argument("--seeds", nargs="+", type=int, help="rows named by seed; without, seed 1")
    options = parser.parse_args()
    folder: Path = options.folder
    if not folder.exists():
        with_real_data(folder)
        run(["git", "-c", "user.name=b", "-c", "user.email=b@example.org", "commit", "-qam", "real sources"], folder)
    merge("climb/strategies", {"n-grams": ngrams(folder), "peers": peers(folder)})
    for row in options.rows:
        for seed in options.seeds or [1]:
            name = f"{row}, seed {seed}" if options.seeds else row
            if name not in kept("climb/strategies"):
                strategy, _, weighted = row.partition(" ")
                merge("climb/strategies", {name: train_and_judge(folder, strategy, bool(weighted), seed)})


if __name__ == "__main__":
    main()
