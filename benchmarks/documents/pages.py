r"""
The programs of documents on real clean pages over folds, and the trained models on real degraded pages.

    python -m benchmarks.documents.pages CLEAN --real REAL [--set documents.label.copies=38] [--folds 0 1] [--drawn 24]

CLEAN is a folder of clean pages; REAL holds metadata.csv with the columns file, kind, pair_clean, tesseract_word_f1 and
rmse_to_clean (benchmarks/documents/README.md). Every page is tested once, by a model that saw no copy of it: figures
are of all pages together, with intervals over pages. Nothing is chosen on REAL, and its pages are in no training.
With --drawn so many drawn receipts are degraded and learnt from as well; no figure is of them.
What is printed, after every fold for the folds so far, is also in benchmarks/documents/results/pages.json. Features of
the frozen network are kept in .winnow/kept of this checkout, so that another setting of the heads costs minutes.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copyfile, copytree, ignore_patterns
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.documents.complaints import CONFIDENCE, Judge, bounds, complaints, judge_by, treated
from benchmarks.measure import ROOT, merge, use_own_kernels
from winnow.domains.documents import definitions
from winnow.domains.documents.metrics import statistics
from winnow.domains.documents.model.estimates import load_assessor
from winnow.domains.documents.params import Common, Params
from winnow.domains.documents.source.files import documents_of
from winnow.domains.documents.source.pages import read_pages
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import encode_png
from winnow.judge.intervals import Statistic, bootstrap, ratio, values, wilson
from winnow.measure.regression import spearman_correlations
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE, Document, Runtime
from winnow.pipeline.stage import Stage

SHOWN = (
    "mae", "rmse", "ece", "score_ece", "within_one_accuracy", "retake_auc", "balanced_accuracy", "accuracy", "macro_f1",
    "spearman_correlation", "false_reject_error", "retake_recall",
)  # fmt: skip
RESAMPLES, SEED = 1000, 1

Floats = NDArray[np.float64]


def workspace(target: Path, data: Path) -> Path:
    """A folder with this checkout's programs, and the pages where the preset looks for them."""
    for name in ("src", "stages", "presets"):
        copytree(ROOT / name, target / name, ignore=ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml"):
        (target / name).write_text((ROOT / name).read_text())
    copytree(data, target / "data/source/documents/clean", copy_function=copyfile)
    (target / "data/params.ok").touch()
    (target / ".winnow").mkdir()
    kept = ROOT / ".winnow" / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    (target / ".winnow" / "kept").symlink_to(kept)
    return target


def draw_receipts(folder: Path, count: int) -> None:
    """Clean receipts of 430 to 990 pixels' width, as many of them narrow as wide."""
    folder.mkdir()
    rng = np.random.default_rng(SEED)
    for number in range(count):
        page = draw_page("receipt", int(rng.integers(700, 1600)), rng)
        (folder / f"receipt_{number:03d}.png").write_bytes(encode_png(page))


def run_stages(*names: str) -> dict[str, float]:
    """The stages' programs, in this process; CPU seconds of each."""
    document, taken = Document(PARAMS_FILE), {}
    for name in names:
        began = time.process_time()
        common = document.section(("documents", "common"), Common)
        params = document.section(("documents", name), Params.model_fields[name].annotation)
        runtime = document.section(("runtime",), Runtime)
        stage = Stage("documents", name, common, params, runtime, document.content["seed"])
        importlib.import_module(f"stages.documents.{name}").main(stage)
        stage.finish()
        taken[name] = round(time.process_time() - began, 1)
    return taken


def pooled(predictions: pd.DataFrame, baseline: pd.DataFrame) -> dict[str, Any]:
    """Figures of all folds' test rows together, of the model, and of each baseline on the same rows.

    A fold's retake threshold has been applied in its verdicts already, so rejection is taken from them; baselines are
    not asked for verdicts.
    """
    by_threshold = ("false_reject_error", "retake_recall")

    def of_rows(rows: pd.DataFrame) -> dict[str, Statistic]:
        columns = ["image_id", "document", "true_score", "true_label", "score", *definitions.probability_columns()]
        columns += ["label"] if "label" in rows else []
        return statistics(rows[columns].assign(rejected=rows["score"] < definitions.ACCEPTABLE_FROM))

    def shown(rows: pd.DataFrame) -> dict[str, float]:
        return rounded({name: each for name, each in of_rows(rows).items() if name not in by_threshold})

    def rounded(found: dict[str, Statistic]) -> dict[str, float]:
        figures = values(found, len(predictions))
        return {name: round(figures[name], 4) for name in SHOWN if name in figures}

    rejected = (predictions["verdict"] == "retake").to_numpy()
    acceptable = (predictions["true_score"] >= definitions.ACCEPTABLE_FROM).to_numpy()
    verdicts = ratio(rejected & acceptable, acceptable), ratio(rejected & ~acceptable, ~acceptable)
    found = of_rows(predictions) | dict(zip(by_threshold, verdicts, strict=True))
    own = {name: statistic for name, statistic in found.items() if name in SHOWN}
    rng, groups = np.random.default_rng(SEED), predictions["document"]
    interval = bootstrap(own, len(predictions), resamples=RESAMPLES, confidence=CONFIDENCE, rng=rng, groups=groups)
    truth = predictions[["image_id", "true_score", "true_label", "document"]]
    others = {
        str(name): shown(truth.merge(rows, on="image_id", validate="one_to_one"))
        for name, rows in baseline.groupby("baseline")
    }
    model = rounded(own)
    return {
        "rows": len(predictions),
        "documents": int(predictions["document"].nunique()),
        "model": model,
        "interval": {name: bounds(each) for name, each in interval.items()},
        "baseline": others,
        "balanced_accuracy_of_the_likeliest_class": likeliest(predictions),
        "mae_of_constant": round(model["mae"] / others["constant"]["mae"], 3),
    }


def severity_errors(predictions: pd.DataFrame, severities: pd.DataFrame) -> dict[str, float]:
    """Mean absolute error of each issue's severity over the images that have it."""
    wide = severities.pivot_table(index="image_id", columns="issue", values="severity").loc[predictions["image_id"]]
    errors = {}
    for issue in definitions.ISSUES:
        true = wide[issue].to_numpy()
        error = np.abs(predictions[f"severity_{issue}"].to_numpy() - true)[true > 0]
        errors[issue] = round(float(error.mean()), 4)
    return errors


def on_real_pages(judge: Judge, folder: Path) -> dict[str, Any]:
    """The three truths of the degraded pages, by legibility and by the full score, each with its interval."""
    table = pd.read_csv(folder / "metadata.csv")
    clean = table["pair_clean"].dropna().unique()
    names = [*table["file"], *clean]
    preparation = definitions.Preparation(2000, 120)
    pages = [read_pages((folder / name).read_bytes(), Path(name).suffix, preparation)[0] for name in names]
    found, _ = judge(pages)
    figures = {}
    heads = {"legibility": found.legibility, "score": found.score, "readability": found.readability}
    for name, each in heads.items():
        if np.isnan(each).any():
            continue
        of = dict(zip(names, each, strict=True))
        pairs = table[table["kind"] == "noisyoffice_pair"]
        below = np.array([of[row.file] < of[row.pair_clean] for row in pairs.itertuples()])
        receipts = table[(table["kind"] == "receipt_scan") & table["tesseract_word_f1"].notna()]
        figures[name] = {
            "pairs": len(pairs),
            "pairs_right": round(float(below.mean()), 4),
            "pairs_interval": bounds(wilson(int(below.sum()), len(below), CONFIDENCE)),
            "receipts": len(receipts),
            "receipts_spearman": _spearman([of[file] for file in receipts["file"]], receipts["tesseract_word_f1"]),
            "distance_spearman": _spearman([1 - of[file] for file in pairs["file"]], pairs["rmse_to_clean"]),
        }
    return figures


def _spearman(first: Any, second: Any) -> dict[str, float]:
    one, other = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)

    def statistic(counts: NDArray[np.int64]) -> Floats:
        return spearman_correlations(one, other, counts)

    whole = float(statistic(np.ones((1, len(one)), dtype=np.int64))[0])
    rng = np.random.default_rng(SEED)
    interval = bootstrap({"r": statistic}, len(one), resamples=RESAMPLES, confidence=CONFIDENCE, rng=rng)["r"]
    return {"value": round(whole, 4), **bounds(interval)}


def mean_figures(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean of every number over the folds' models, dictionaries within dictionaries."""
    first = parts[0]
    return {
        key: mean_figures([part[key] for part in parts])
        if isinstance(value, dict)
        else round(float(np.mean([part[key] for part in parts])), 4)
        for key, value in first.items()
    }


def on_validation(rows: pd.DataFrame, severities: pd.DataFrame) -> dict[str, float]:
    """What settings are chosen by: errors of score and legibility, and balanced accuracy, of validation rows."""
    wide = severities.pivot_table(index="image_id", columns="issue", values="severity").loc[rows["image_id"]]
    legibility = definitions.severity_score(wide[list(definitions.ISSUES)].to_numpy(), definitions.LEGIBILITY)
    right = rows["label"] == rows["true_label"]
    return {
        "rows": len(rows),
        "mae": round(float((rows["score"] - rows["true_score"]).abs().mean()), 4),
        "legibility_mae": round(float(np.abs(rows["legibility"].to_numpy() - legibility).mean()), 4),
        "balanced_accuracy": round(float(right.groupby(rows["true_label"]).mean().mean()), 4),
        "balanced_accuracy_of_the_likeliest_class": likeliest(rows),
    }


def likeliest(rows: pd.DataFrame) -> float:
    """Balanced accuracy of the class with the highest probability, which may be another than the score's."""
    right = rows[definitions.probability_columns()].to_numpy().argmax(axis=1) == rows["true_label"]
    return round(float(right.groupby(rows["true_label"]).mean().mean()), 4)


@dataclass
class Measured:
    """What the folds so far gave."""

    predictions: list[pd.DataFrame] = field(default_factory=list)
    """of test rows"""
    validation: list[pd.DataFrame] = field(default_factory=list)
    """predictions of validation rows"""
    baseline: list[pd.DataFrame] = field(default_factory=list)
    complaints: list[pd.DataFrame] = field(default_factory=list)
    real: list[dict[str, Any]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """Of all folds together."""
        predictions = pd.concat(self.predictions)
        severities = pd.read_parquet("data/documents/label/severities.parquet")
        return {
            **pooled(predictions, pd.concat(self.baseline)),
            "severity_error": severity_errors(predictions, severities),
            "validation": on_validation(pd.concat(self.validation), severities),
            "complaints": treated(pd.concat(self.complaints)),
            **({"real": {"of_each_model": self.real, "mean": mean_figures(self.real)}} if self.real else {}),
        }


def measure_fold(measured: Measured, clean: Path, real: Path | None) -> None:
    """Add the fold that was just evaluated: its predictions, and what its model says of other pages."""
    judged = pd.read_parquet("data/documents/evaluate/predictions.parquet")
    measured.validation.append(judged[judged["split"] == "val"])
    predictions = judged[(judged["split"] == "test") & judged["document"].str.startswith("clean/")]
    measured.predictions.append(predictions)
    measured.baseline.append(pd.read_parquet("data/documents/evaluate/baseline_predictions.parquet"))
    model, calibration = load_assessor(torch.device("cpu"))
    judge = judge_by(model, calibration)
    unseen = set(predictions["document"].str.partition("/")[2])
    documents = documents_of(file.stem for file in clean.glob("*.png"))
    files = sorted(file for file in clean.glob("*.png") if documents[file.stem] in unseen)
    pages = [read_pages(file.read_bytes(), file.suffix, model.preparation)[0] for file in files]
    measured.complaints.append(complaints(judge, pages, model, calibration))
    if real:
        measured.real.append(on_real_pages(judge, real))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clean", type=lambda text: Path(text).resolve())
    parser.add_argument("--real", type=lambda text: Path(text).resolve())
    parser.add_argument("--set", nargs="*", default=[], help="further values, key=JSON")
    parser.add_argument("--folds", nargs="*", type=int, help="folds to measure, all without it")
    parser.add_argument("--drawn", type=int, default=0, help="drawn receipts beside the clean pages")
    parser.add_argument("--name", default="real_pages")
    options = parser.parse_args()
    values = presets.overrides("documents", presets.read("documents", "real_pages"))
    values |= {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in options.set)}
    folds = options.folds or list(range(values["documents.split.folds"]))
    measured = Measured()
    sys.path.insert(0, str(ROOT))  # for the stages
    use_own_kernels()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(workspace(Path(scratch) / "workspace", options.clean))
        if options.drawn:
            source = {"format": "clean_pages", "path": "data/source/documents/drawn"}
            draw_receipts(Path(source["path"]), options.drawn)
            values["documents.ingest.sources"] = [*values["documents.ingest.sources"], source]
        presets.apply(dict(values), PARAMS_FILE)
        began = time.perf_counter()
        seconds = run_stages("ingest", "filter", "label")
        for place, fold in enumerate(folds, 1):
            presets.apply({"documents.split.fold": fold}, PARAMS_FILE)
            for name, taken in run_stages("split", "weight", "train", "evaluate").items():
                seconds[name] = round(seconds.get(name, 0) + taken, 1)
            measure_fold(measured, options.clean, options.real)
            figures = {
                "settings": {key: value for key, value in values.items() if not isinstance(value, list)},
                "drawn": options.drawn,
                "folds": folds[:place],
                "cpu_seconds": seconds,
                "wall_seconds": round(time.perf_counter() - began, 1),
                **measured.figures(),
            }
            merge("documents/pages", {options.name: figures})
    os.chdir(ROOT)


if __name__ == "__main__":
    main()
