"""`winnow documents …`: judge scans, evaluate the assessor on a labelled folder, and make data sets."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Filter, Ingest, Label, Split, Weight
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.checkout import checkout_root
from winnow.pipeline.errors import ParamsError, WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.seeds import derive_seed

app = typer.Typer(no_args_is_help=True, help="Judge the quality of document scans.")

SHOWN = (
    "false_reject_error", "retake_recall", "retake_auc", "mae", "rmse", "accuracy", "balanced_accuracy",
    "within_one_accuracy", "macro_f1", "spearman_correlation", "ece", "score_ece", "issues_average_precision",
)  # fmt: skip


@app.command()
def assess(
    paths: Annotated[list[Path], typer.Argument(help="images, PDF files, or folders of them")],
    explain: Annotated[Path | None, typer.Option(help="folder for the pages with their heat maps")] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the judgements as JSON")] = False,
) -> None:
    """Judge every page: accept, warn, or take again. Unreadable files are reported; the exit code is then 1."""
    trained = use_model("documents", model)
    from winnow.domains.documents import inference
    from winnow.learn.devices import configured_device

    judged = inference.assess_files(paths, explain, trained.folder, configured_device())
    if as_json:
        print(json.dumps([trained.stamp(entry) for entry in judged], indent=2))
    else:
        for entry in judged:
            print_entry(entry)
    if any("error" in entry for entry in judged):
        raise typer.Exit(1)


def print_entry(entry: dict[str, Any]) -> None:
    """A page's judgement as a few lines of text."""
    if "error" in entry:
        print(f"{entry['file']}: {entry['error']}", file=sys.stderr)
        return
    place = f" page {entry['page']}" if entry["pages"] > 1 else ""
    figures = f"score {entry['score']:.2f} ({entry['class']})"
    parts = f"legibility {entry['legibility']:.2f}, framing {entry['framing']:.2f}"
    print(f"{entry['file']}{place}: {entry['verdict'].upper()}   {figures}   {parts}")
    for reason in entry["reasons"]:
        print(f"    {reason}")
    if "explained" in entry:
        print(f"    heat map: {entry['explained']}")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="a folder of labelled pages with metadata.csv, or the CSV")],
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the assessor on your own labelled set, starting with the share of good pages that it rejects."""
    if not data.exists():
        raise WinnowError(f"{data} does not exist", fix="name a folder with metadata.csv, or the CSV")
    trained = use_model("documents", model)
    from winnow.domains.documents import inference
    from winnow.learn.devices import configured_device

    found = inference.judge_data(data, trained.folder, configured_device())
    if as_json:
        print(json.dumps(trained.stamp(found), indent=2, sort_keys=True))
        return
    print("   ".join(f"{name.replace('_', ' ')} {count}" for name, count in found["pages"].items()))
    for reason in found["reasons"]:
        print(f"  left out: {reason}", file=sys.stderr)
    print("   ".join(f"{verdict} {count}" for verdict, count in found["verdicts"].items()))
    for name in SHOWN:
        if name in found["metrics"]:
            print(f"  {name:<24}{found['metrics'][name]:>8.3f}")
    print(f"\n  {'class':<12}{'pages':>7}{'recall':>9}")
    for name in definitions.CLASSES:
        recall = found["metrics"].get(f"class_{definitions.class_key(name)}_recall")
        if recall is not None:
            print(f"  {name:<12}{found['by_class'][name]:>7}{recall:>9.3f}")


@app.command()
def dataset(
    source: Annotated[Path, typer.Argument(help="folder of clean pages (synthetic) or of labelled pages (real)")],
    target: Annotated[Path, typer.Argument(help="new folder to write the data set to")],
    mode: Annotated[
        Literal["synthetic", "real"], typer.Option(help="degrade clean pages, or take labelled pages as they are")
    ] = "synthetic",
    val_ratio: Annotated[float | None, typer.Option(help="share for validation; default: params.yaml's")] = None,
    test_ratio: Annotated[float | None, typer.Option(help="share for the test; default: params.yaml's")] = None,
) -> None:
    """Write a data set as train, val and test folders of images with CSV files, with the settings of params.yaml."""
    from winnow.domains.documents.rules.dataset import Settings, make_dataset

    document = Document((checkout_root() or Path()) / PARAMS_FILE)
    seed = document.content.get("seed")
    if not isinstance(seed, int):
        raise ParamsError(f"`seed` is {seed!r}: a whole number is expected", where=str(document.path))
    common = document.section(("documents", "common"), Common)
    ingest = document.section(("documents", "ingest"), Ingest)
    split = document.section(("documents", "split"), Split)
    shares = {"val_share": val_ratio, "test_share": test_ratio}
    changed = {name: share for name, share in shares.items() if share is not None}
    if changed and (sum((split.model_dump() | changed)[name] for name in shares) >= 1 or min(changed.values()) <= 0):
        raise WinnowError("the ratios leave nothing to train on, or are not positive", fix="such as 0.2 and 0.1")
    settings = Settings(
        preparation=definitions.Preparation(common.max_side, ingest.pdf_dpi),
        flag_from=common.flag_from,
        max_hash_distance=document.section(("documents", "filter"), Filter).max_hash_distance,
        max_rejected_share=ingest.max_rejected_share,
        label=document.section(("documents", "label"), Label),
        split=split.model_copy(update=changed),
        enough=document.section(("documents", "weight"), Weight),
        seed=derive_seed(seed, "documents", "dataset"),
    )
    metadata = make_dataset(source, target, mode, settings)
    print((target / "dataset_summary.txt").read_text(encoding="utf-8"), end="")
    print(f"\n{len(metadata)} images in {target}")
