r"""
The programs of articles on texts that people scored, with MiniLM and with `tiny`: errors and correlations.

    python -m benchmarks.articles.quality emobank DATA            # official train → official dev
    python -m benchmarks.articles.quality ellipse DATA --folds 0 1 2 3 4
    python -m benchmarks.articles.quality emobank DATA --model tiny
    python -m benchmarks.articles.quality emobank DATA --trial cosine --change '{"ema_decay": 0.0}'

DATA holds emobank_train_dev.jsonl and ellipse_essays.zip. Validation is cut from the training rows (emobank) or is the
next fold (ellipse); the test rows are scored once, by the epoch that was best on validation. Every run goes through the
stages in a copy of this checkout; what is printed is also in benchmarks/articles/results/<set>.json, row by row.
A trial changes settings of `train` and is measured on validation alone: its row is in articles_<set>_choice.json.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pandas as pd
import yaml

from benchmarks.measure import ROOT, kept, merge, use_own_kernels
from winnow.domains.articles.params import Common, Params
from winnow.pipeline.params import PARAMS_FILE, Document, Runtime
from winnow.pipeline.presets import read
from winnow.pipeline.stage import Stage

DIMENSIONS = {
    "emobank": ("valence", "arousal", "dominance"),
    "ellipse": ("overall", "cohesion", "syntax", "vocabulary", "phraseology", "grammar", "conventions"),
}
TINY = {
    "model_name": "tiny",
    "epochs": 12,
    "learning_rate": 0.003,
    "max_length": 256,
    "ema_decay": 0.0,
    "scheduler": {"name": "cosine"},
    "ridge_shares": [],
}


def rows(name: str, data: Path) -> Iterator[dict[str, Any]]:
    """The set in the form that `scored` reads; EmoBank's own dev side is the test."""
    if name == "emobank":
        lines = (data / "emobank_train_dev.jsonl").read_text().splitlines()
    else:
        with zipfile.ZipFile(data / "ellipse_essays.zip") as archive:
            lines = archive.read("ellipse_essays.jsonl", pwd=b"ellipse_test").decode().splitlines()
    for line in lines:
        row = json.loads(line)
        found = {key: row[key] for key in ("id", "content")}
        found["title"] = "" if name == "emobank" else row["title"]
        if row.get("split") == "dev":
            found["split"] = "test"
        yield {**found, f"{name}_analysis": {"dimensions": row["scores"]}}


def workspace(target: Path, name: str, data: Path) -> None:
    for folder in ("src", "stages", "presets"):
        copytree(ROOT / folder, target / folder, ignore=ignore_patterns("__pycache__"))
    source = target / "data/source/articles"
    copytree(ROOT / "data/source/articles/filters", source / "filters")
    with (source / f"{name}.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows(name, data))
    (target / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text())


def run_stages(*names: str) -> None:
    document = Document(PARAMS_FILE)
    for name in names:
        common = document.section(("articles", "common"), Common)
        params = document.section(("articles", name), Params.model_fields[name].annotation)
        runtime = document.section(("runtime",), Runtime)
        stage = Stage("articles", name, common, params, runtime, document.content["seed"])
        importlib.import_module(f"stages.articles.{name}").main(stage)
        stage.finish()


def change(section: dict[str, Any], values: dict[str, Any]) -> None:
    """Replace these values, and of sections within it those that are named."""
    for name, value in values.items():
        if isinstance(value, dict):
            change(section[name], value)
        else:
            section[name] = value


def params_for(name: str, model: str, changes: dict[str, Any]) -> None:
    """Write params.yaml with the preset and the changes of the train and split sections."""
    content = Document(ROOT / "params.yaml").overlaid(read("articles", name), ("articles",)).content
    own = content["articles"]
    change(own["train"], TINY if model == "tiny" else {})
    change(own, changes)
    Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


def figures(seconds: float) -> dict[str, Any]:
    judgement = json.loads(Path("metrics/articles/judgement.json").read_text())
    training = json.loads(Path("data/articles/train/model/training_metadata.json").read_text())
    table = pd.read_parquet("data/articles/evaluate/per_dimension.parquet").set_index("dimension")
    return {
        "minutes": round(seconds / 60, 1),
        "precision": training["configuration"]["precision"],
        "rows_test": judgement["rows_test"],
        "rows_train": training["rows"]["train"],
        "validation_mae": training["best_val_mae"],
        **({"ridge": training["ridge"]} if "ridge" in training else {}),
        "verdict": judgement["verdict"],
        "best_epoch": judgement["progression"]["best_validation"],
        "model": judgement["model"],
        "baseline": judgement["baseline"],
        "difference": judgement["difference"],
        "dimensions": {
            str(name): {key: round(float(row[key]), 4) for key in ("mae", "mean_mae", "pearson", "skill", "skill_low")}
            for name, row in table.iterrows()
        },
    }


def trial_figures(changes: dict[str, Any]) -> dict[str, Any]:
    """What a training reached on validation: the network's chosen epoch, and the average with the ridge."""
    history = json.loads(Path("data/articles/train/model/training_history.json").read_text())["epochs"]
    training = json.loads(Path("data/articles/train/model/training_metadata.json").read_text())
    chosen = history[training["best_validation"] - 1]["val"]
    return {
        "changes": changes,
        "best_epoch": training["best_epoch"],
        "network": {name: round(chosen[name], 4) for name in ("pearson_correlation", "mae")},
        **({"ridge": training["ridge"]} if "ridge" in training else {}),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("set", choices=DIMENSIONS)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--folds", type=int, nargs="*", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--precision", default="fp32", help="bf16: half the time on a CPU that multiplies bfloat16")
    parser.add_argument("--seed", type=int, help="of the training, instead of the params'")
    parser.add_argument("--trial", help="name of a row that is measured on validation alone")
    parser.add_argument("--change", type=json.loads, default={}, help="JSON: values of the train section for a trial")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace(Path(folder), args.set, args.data.resolve())
        os.chdir(folder)
        sys.path.insert(0, folder)
        use_own_kernels()
        for number, fold in enumerate(args.folds):
            split = {"fold": fold} if args.set == "ellipse" else {}
            train = {"threads": args.threads, "precision": args.precision} | args.change
            train |= {"epochs": args.epochs} if args.epochs else {}
            train |= {"seed": args.seed} if args.seed else {}
            params_for(args.set, args.model, {"train": train, "split": split})
            began = time.perf_counter()
            run_stages(*(() if number else ("ingest", "filter", "label")), "split", "weight", "train")
            if args.trial:
                merge(f"articles/{args.set}_choice", {args.trial: trial_figures(args.change)})
                continue
            run_stages("evaluate")
            row = f"{args.model} fold {fold}" if args.set == "ellipse" else args.model
            row += f" seed {args.seed}" if args.seed else ""
            merge(f"articles/{args.set}", {row: figures(time.perf_counter() - began)})
    found = kept(f"articles/{args.set}")
    folds = [each for name, each in found.items() if name.startswith(f"{args.model} fold")]
    if len(folds) > 1:
        mean = {
            "folds": len(folds),
            "mae": sum(each["model"]["mae"] for each in folds) / len(folds),
            "tfidf_ridge_mae": sum(each["baseline"]["tfidf_ridge"]["mae"] for each in folds) / len(folds),
            "mean_mae": sum(each["baseline"]["mean"]["mae"] for each in folds) / len(folds),
            "minutes": sum(each["minutes"] for each in folds),
        }
        merge(f"articles/{args.set}", {f"{args.model} mean": mean})


if __name__ == "__main__":
    main()
