"""
What each preset of the original system takes, from training to verdict: CPU seconds on few real pages, peak of memory.

    python -m benchmarks.documents.presets CLEAN [PRESET …] [--epochs 2]

12 of the clean pages, 4 copies of each, through the real programs up to `evaluate`; so many epochs of each of a
preset's phases, with drawn weights where pretrained ones would be downloaded, which changes neither time nor memory,
and makes the model worthless. Each preset is trained in a process of its own; one that the system kills says so.
Results go to benchmarks/documents/results/presets.json.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from torchvision import models

from benchmarks.documents.pages import run_stages, workspace
from benchmarks.measure import ROOT, merge
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE

PRESETS = ("fast_experiment", "transfer", "curriculum", "production", "high_accuracy")
PAGES, COPIES = 12, 4
WEIGHTS = "data/source/documents/models/drawn.pt"


def trained(preset: str, clean: Path, epochs: int) -> dict[str, Any]:
    """So many epochs of each phase, and the verdict, in this process."""
    values = presets.overrides("documents", presets.read("documents", preset))
    values |= {
        "documents.ingest.sources": [{"format": "clean_pages", "path": "data/source/documents/clean"}],
        "documents.label.copies": COPIES,
        "documents.train.epochs": epochs,
    }
    backbone = values["documents.train.network.backbone"]
    drawn = backbone in models.list_models() and values["documents.train.network.weights"] == "imagenet"
    for phase in values.get("documents.train.phases", []):
        phase["epochs"] = epochs
    with tempfile.TemporaryDirectory() as scratch:
        pages = Path(scratch, "pages")
        pages.mkdir()
        for file in sorted(clean.glob("*.png"))[::6][:PAGES]:
            copyfile(file, pages / file.name)
        os.chdir(workspace(Path(scratch) / "workspace", pages))
        if drawn:  # in place of weights that would be downloaded
            values["documents.train.network.weights"] = WEIGHTS
            Path(WEIGHTS).parent.mkdir(parents=True)
            torch.save(models.get_model(backbone, weights=None).state_dict(), WEIGHTS)
        presets.apply(values, PARAMS_FILE)
        run_stages("ingest", "filter", "label", "split", "weight")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = run_stages("train")["train"]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        judging = run_stages("evaluate")["evaluate"]
        rows, judged = (
            json.loads(Path("metrics/documents", f"{name}.json").read_text()) for name in ("split", "evaluate")
        )
        os.chdir(ROOT)
    images, trained_for = int(rows["rows_train"]), epochs * max(len(values.get("documents.train.phases", [])), 1)
    return {
        "train_images": images,
        "epochs": trained_for,
        "cpu_seconds": seconds,
        "cpu_seconds_an_image": round(seconds / images / trained_for, 2),
        "peak_mib": round(peak / 1024),
        "evaluate_cpu_seconds": judging,
        "peak_mib_with_evaluate": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "verdict": judged["verdict"],
        "peak_mib_before": round(before / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clean", type=lambda text: Path(text).resolve())
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--epochs", type=int, default=1, help="of each phase")
    parser.add_argument("--here", action="store_true", help="in this process: print what is found")
    options = parser.parse_args()
    for preset in options.presets:
        if options.here:
            sys.path.insert(0, str(ROOT))  # for the stages
            print(json.dumps(trained(preset, options.clean, options.epochs)))
            continue
        command = [sys.executable, "-m", "benchmarks.documents.presets", str(options.clean), preset, "--here"]
        command += ["--epochs", str(options.epochs)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, -9):
            raise SystemExit(done.stderr)
        killed = {"killed_for_memory": True}
        merge(
            "documents/presets", {preset: json.loads(done.stdout.splitlines()[-1]) if not done.returncode else killed}
        )


if __name__ == "__main__":
    main()
