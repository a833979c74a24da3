r"""
The programs of retina, run over folds, seeds and presets on real photographs, and their figures as mean and sd.

    python -m benchmarks.retina.folds idrid FOLDER --strategies neither class_weights \
        weighted_sampling both                              # 5 folds, one training seed
    python -m benchmarks.retina.folds retinamnist FOLDER --seeds 1 2 3

A preset that groups alike neighbours (`label.neighbour_distance`, IDRiD's patients) is run both ways: on folds that
keep a group together, and, as rows `…, random folds`, on folds of single photographs, as most published figures are.
The former say what to expect of new patients.

FOLDER holds what the preset names under data/source/retina (for idrid idrid_384.csv and idrid_384/). Every run goes
through the stages as DVC would run them, in a copy of this checkout; what is printed is also in
benchmarks/retina/results/<preset>.json: the test side's figures, the validation side's (each photograph seen once,
without `views`), and every run's.

To choose settings without a look at the test side, whose figures `--choose` neither prints nor keeps:

    python -m benchmarks.retina.folds retinamnist FOLDER --seeds 1 2 3 --choose \
        --settings benchmarks/retina/settings.yaml --name choice --strategies corn soft_labels soft_labels_rotation
"""

import argparse
import importlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any

import pandas as pd
import yaml

from benchmarks.measure import ROOT, merge
from winnow.domains.retina import definitions, metrics
from winnow.domains.retina.params import Common, Params
from winnow.judge.intervals import values
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE, Document, Runtime
from winnow.pipeline.stage import Stage

GROUPING = "retina.label.neighbour_distance"
SHOWN = (
    "class_3_f1", "class_4_f1", "class_3_recall", "class_4_recall", "class_0_f1", "class_1_f1", "class_2_f1",
    "rare_f1", "macro_f1", "quadratic_weighted_kappa", "accuracy", "balanced_accuracy", "macro_auc",
    "referable_sensitivity", "referable_specificity", "ece", "uncalibrated_ece", "f1_gap", "rare_f1_gap",
)  # fmt: skip


def workspace(target: Path, data: Path) -> Path:
    """A folder with this checkout's programs, and the photographs where the preset looks for them."""
    for name in ("src", "stages", "presets"):
        copytree(ROOT / name, target / name, ignore=ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml"):
        (target / name).write_text((ROOT / name).read_text())
    (target / "data/source").mkdir(parents=True)
    (target / "data/source/retina").symlink_to(data.resolve())
    (target / "data/params.ok").touch()
    return target


def run_stages(*names: str) -> None:
    """The stages' programs, in this process: importing torch anew for each run would take longer than the run."""
    document = Document(PARAMS_FILE)
    for name in names:
        common = document.section(("retina", "common"), Common)
        params = document.section(("retina", name), Params.model_fields[name].annotation)
        runtime = document.section(("runtime",), Runtime)
        stage = Stage("retina", name, common, params, runtime, document.content["seed"])
        importlib.import_module(f"stages.retina.{name}").main(stage)
        stage.finish()


def on_validation(gaps: Mapping[str, float]) -> dict[str, float]:
    """The last run's figures on the side that settings may be chosen on, and how much higher training's F1 are."""
    rows = pd.read_parquet("data/retina/evaluate/predictions.parquet").query("split == 'val'")
    rare = [gaps[str(grade)] for grade in definitions.RARE if str(grade) in gaps]
    return values(metrics.statistics(rows), len(rows)) | {
        "f1_gap": statistics.mean(gaps.values()),
        **({"rare_f1_gap": statistics.mean(rare)} if rare else {}),
    }


def one_run(values: Mapping[str, Any]) -> dict[str, Any]:
    """What evaluate reports for a training with these values, with validation figures and the time."""
    presets.apply(dict(values), PARAMS_FILE)
    began = time.perf_counter(), time.process_time()
    run_stages("label", "split", "weight", "train", "evaluate")
    found: dict[str, Any] = json.loads(Path("metrics/retina/judgement.json").read_text())
    found["validation"] = on_validation(found["overfitting"]["f1_gap"])
    found["seconds"], found["cpu_seconds"] = time.perf_counter() - began[0], time.process_time() - began[1]
    return found


def mean_and_spread(parts: list[dict[str, float]]) -> dict[str, str]:
    """Mean and standard deviation of every figure over the runs that have it."""
    told = {}
    for name in SHOWN:
        values = [part[name] for part in parts if name in part]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            told[name] = f"{statistics.mean(values):.3f} ± {spread:.3f}"
    return told


def shown(part: Mapping[str, float]) -> dict[str, float]:
    return {name: round(part[name], 4) for name in SHOWN if name in part}


def summary(runs: list[dict[str, Any]], *, test: bool) -> dict[str, Any]:
    """The figures of one strategy over its runs, for the model and, of the test side, each baseline."""
    told = {
        "runs": len(runs),
        "seconds_per_run": round(statistics.mean(found["seconds"] for found in runs), 1),
        "cpu_seconds_per_run": round(statistics.mean(found["cpu_seconds"] for found in runs), 1),
        "validation": mean_and_spread([found["validation"] for found in runs]),
        "validation_of_each": [shown(found["validation"]) for found in runs],
        "overfitting": [found["overfitting"]["verdict"] for found in runs],
    }
    if test:
        told["model"] = mean_and_spread([found["model"] for found in runs])
        told["model_of_each"] = [shown(found["model"]) for found in runs]
        names = runs[0]["baseline"]
        told["baseline"] = {name: mean_and_spread([found["baseline"][name] for found in runs]) for name in names}
    return told


def overrides(preset: str) -> dict[str, Any]:
    """What a preset of retina changes."""
    return presets.overrides("retina", presets.read("retina", preset))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset")
    parser.add_argument("data", type=lambda text: Path(text).resolve())
    parser.add_argument("--strategies", nargs="+", default=[""], help="presets (or settings) on top, one after another")
    parser.add_argument("--settings", type=Path, help="a YAML of strategies: names, and the overrides of each")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--set", nargs="*", default=[], help="further values, key=JSON")
    parser.add_argument("--choose", action="store_true", help="print and keep the validation side's figures alone")
    parser.add_argument("--name", default="")
    options = parser.parse_args()
    settings = yaml.safe_load(options.settings.read_text()) if options.settings else {}
    os.chdir(ROOT)
    base = overrides(options.preset)
    base |= {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in options.set)}
    strategies = {"": {}, **settings}
    strategies |= {name: overrides(name) for name in options.strategies if name not in strategies}
    folds = range(base.get("retina.split.folds", 0) or 1)
    ways: dict[str, dict[str, Any]] = {"": {}}
    if base.get(GROUPING):
        ways[", random folds"] = {GROUPING: 0.0}
    runs: dict[str, list[dict[str, Any]]] = {f"{strategy}{way}": [] for strategy in options.strategies for way in ways}
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(workspace(Path(scratch) / "workspace", options.data))
        presets.apply(dict(base), PARAMS_FILE)
        run_stages("ingest", "filter")
        untouched = PARAMS_FILE.read_text()
        for fold, seed, strategy, way in itertools.product(folds, options.seeds, options.strategies, ways):
            PARAMS_FILE.write_text(untouched)
            values = strategies[strategy] | ways[way] | {"retina.split.fold": fold, "retina.train.seed": seed}
            found = one_run(values)
            runs[f"{strategy}{way}"].append(found)
            told = shown(found["validation" if options.choose else "model"])
            line = {
                "fold": fold,
                "seed": seed,
                "strategy": f"{strategy}{way}",
                "cpu": round(found["cpu_seconds"]),
                **told,
            }
            print(json.dumps(line), file=sys.stderr, flush=True)
    os.chdir(ROOT)
    name = f"retina/{options.preset}{options.name and '_' + options.name}"
    figures = {
        row if row[:1].isalpha() else f"{options.preset}{row}": summary(found, test=not options.choose)
        for row, found in runs.items()
    }
    merge(name, figures)


if __name__ == "__main__":
    main()
