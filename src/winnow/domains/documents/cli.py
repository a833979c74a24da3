"""`winnow documents …`: judge scans, evaluate the assessor on a labelled folder, and make data sets."""

import csv
import json
import sys
from collections import Counter, deque
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Filter, Ingest, Label, Split, Weight
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.checkout import checkout_root
from winnow.pipeline.console import say
from winnow.pipeline.errors import ParamsError, WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.seeds import derive_seed
from winnow.pipeline.text import shown

app = typer.Typer(no_args_is_help=True, help="Judge the quality of document scans.")

SHOWN = (
    "false_reject_error", "retake_recall", "retake_auc", "mae", "rmse", "accuracy", "balanced_accuracy",
    "within_one_accuracy", "macro_f1", "spearman_correlation", "ece", "score_ece", "issues_average_precision",
)  # fmt: skip


class Failing(StrEnum):
    retake = "retake"
    warn = "warn"
    blank = "blank"


@app.command()
def assess(
    paths: Annotated[list[Path], typer.Argument(help="images, PDF files, or folders of them")],
    explain: Annotated[Path | None, typer.Option(help="folder for the pages with their heat maps")] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object a line, for each page")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="print a CSV, a row for each page")] = False,
    fail_on: Annotated[
        list[Failing] | None,
        typer.Option(help="exit with code 3 if a page gets this verdict; warn: or retake; may be repeated"),
    ] = None,
    ocr: Annotated[bool, typer.Option("--ocr", help="also read every page by an OCR (the extra `ocr`); slow")] = False,
    turn: Annotated[bool, typer.Option("--turn", help="judge pages that are turned as if they were upright")] = False,
    retake_below: Annotated[float | None, typer.Option(min=0, max=1, help="a lower score: retake")] = None,
    accept_from: Annotated[float | None, typer.Option(min=0, max=1, help="a lower score: warn")] = None,
    warn_severity: Annotated[float | None, typer.Option(min=0, max=1, help="an issue as severe: warn")] = None,
    min_text_height: Annotated[
        float | None, typer.Option(min=0, max=1000, help="pixels; lower capital letters: retake")
    ] = None,
) -> None:
    """Judge every page: accept, warn, retake (take again) or blank, with the reasons, as soon as it is known.

    --json and --csv print the pages of a document when all of them are judged, each with the document's verdict.
    --retake-below, --accept-from, --warn-severity and --min-text-height replace the model's limits.

    Exit codes: 0; 1 if it cannot begin, as without a model or a named file; 3 if --fail-on says so; 4 if a page, or
    all of them, could not be read; 5 if both; 130 after Ctrl+C, which keeps what was judged.

    Example: winnow documents assess scans --explain heat_maps --json
    """
    if as_json and as_csv:
        raise WinnowError("--json and --csv are two forms of the same", fix="choose one")
    trained = use_model("documents", model)
    from tqdm import tqdm

    from winnow.domains.documents.inference import assess_files, stopped, whole_documents
    from winnow.domains.documents.inputs import Options
    from winnow.domains.documents.source.files import named_files
    from winnow.learn.devices import configured_device

    found = named_files(paths)
    if found.others:
        say(found.passed_over())
    limits = {
        "retake_below": retake_below,
        "accept_from": accept_from,
        "warn_severity": warn_severity,
        "min_text_height": min_text_height,
    }
    options = Options(explain, turn, ocr, {name: value for name, value in limits.items() if value is not None})
    counts: Counter[str] = Counter()
    writer = csv.DictWriter(sys.stdout, CSV_COLUMNS, lineterminator="\n")
    if as_csv:
        writer.writeheader()
    interrupted, waiting = False, deque[dict[str, Any]]()

    def tell(entry: dict[str, Any]) -> None:
        counts[entry.get("verdict", "error")] += 1
        if as_json:
            print(json.dumps(trained.stamp(entry)))
        else:
            writer.writerow(csv_row(entry)) if as_csv else print_entry(entry)
        sys.stdout.flush()

    with tqdm(unit=" pages", disable=None, leave=False) as progress:
        try:
            judged = assess_files(found.pages, trained.folder, configured_device(), options)
            for entry in whole_documents(judged, waiting) if as_json or as_csv else judged:
                progress.clear()
                tell(entry)
                progress.update()
        except KeyboardInterrupt:
            interrupted = True
            for entry in stopped(waiting):
                tell(entry)
    print(summary_line(counts, len(found.pages), interrupted=interrupted), file=sys.stderr)
    if code := exit_code(counts, fail_on or [], interrupted=interrupted):
        raise typer.Exit(code)


def exit_code(counts: "Counter[str]", fail_on: Sequence[str], *, interrupted: bool) -> int:
    """130 after Ctrl+C, 3 if a page has a verdict of `fail_on`, 4 if one cannot be read, 5 if both; else 0."""
    failing = {*fail_on, *(["retake"] if "warn" in fail_on else [])}
    if interrupted:
        return 130
    return {(True, False): 3, (False, True): 4, (True, True): 5}.get(
        (any(counts[verdict] for verdict in failing), counts["error"] > 0), 0
    )


CSV_COLUMNS = (
    "file", "page", "pages", "document", "verdict", "score", "class", "legibility", "framing", "readability",
    "ocr_readability", "ocr_lines", "ocr_text_height", "turned", "text_height",
    "issues", "reasons", "explained", "document_pages", "document_verdict", "error",
)  # fmt: skip


def csv_row(entry: dict[str, Any]) -> dict[str, Any]:
    """A page's judgement as a row of `CSV_COLUMNS`; issues as `blur 0.41; noise 0.22`."""
    row = {name: entry.get(name, "") for name in CSV_COLUMNS}
    row["issues"] = "; ".join(f"{issue} {severity:.2f}" for issue, severity in entry.get("issues", {}).items())
    row["reasons"] = "; ".join(entry.get("reasons", []))
    return row


def summary_line(counts: "Counter[str]", files: int, *, interrupted: bool) -> str:
    """How many pages got which verdict."""
    pages = sum(counts[verdict] for verdict in definitions.VERDICTS)
    verdicts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in definitions.VERDICTS)
    unread = f"; {counts['error']} could not be read" if counts["error"] else ""
    told = f"{pages} page{'s' * (pages != 1)} of {files} file{'s' * (files != 1)}"
    return f"{'stopped: ' if interrupted else ''}{told}: {verdicts}{unread}"


def print_entry(entry: dict[str, Any]) -> None:
    """A page's judgement as a few lines of text, and its document's after the last page."""
    place = f" page {entry['page']}" if entry["pages"] > 1 else ""
    if "error" in entry:
        say(f"{entry['file']}{place}: {entry['error']}")
    else:
        figures = ""
        if entry["verdict"] != "blank":  # of what is not there nothing can be read
            names = ("legibility", "framing", "readability", "ocr_readability")
            parts = ", ".join(f"{name.replace('_', ' ')} {entry[name]:.2f}" for name in names if name in entry)
            figures = f"   score {entry['score']:.2f} ({entry['class']})   {parts}"
        print(shown(f"{entry['file']}{place}: {entry['verdict'].upper()}{figures}"))
        for reason in entry["reasons"]:
            print(f"    {reason}")
        if "explained" in entry:
            print(shown(f"    heat map: {entry['explained']}"))
    if entry.get("document_pages", 1) > 1:
        print(shown(f"{entry['document']}, {entry['document_pages']} pages: {entry['document_verdict'].upper()}"))


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="a folder of labelled pages with metadata.csv, or the CSV")],
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the assessor on your own labelled set, starting with the share of good pages that it rejects.

    Example: winnow documents evaluate my_labelled_pages --json
    """
    if not data.exists():
        raise WinnowError(f"{data} does not exist", fix="name a folder with metadata.csv, or the CSV")
    trained = use_model("documents", model)
    from winnow.domains.documents.evaluation.own_pages import judge_data
    from winnow.learn.devices import configured_device

    found = judge_data(data, trained.folder, configured_device())
    if as_json:
        print(json.dumps(trained.stamp(found), indent=2, sort_keys=True))
        return
    print("   ".join(f"{name.replace('_', ' ')} {count}" for name, count in found["pages"].items()))
    for line in [*(f"  left out: {reason}" for reason in found["reasons"]), *found["warnings"]]:
        say(line)
    print("   ".join(f"{verdict} {count}" for verdict, count in found["verdicts"].items()))
    acceptable, unacceptable = found["acceptable"], found["unacceptable"]
    print(f"  retake for {found['acceptable_sent_back']} acceptable pages, those of too small text included")
    counts = f"{acceptable} acceptable and {unacceptable} other pages of {found['documents']} documents"
    print(f"\n  {counts}; 95% intervals over documents")
    for name in SHOWN:
        if name in found["metrics"]:
            print_metric(name, found, OF.get(name, ""))
    print()
    for name in definitions.CLASSES:
        key = f"class_{definitions.class_key(name)}_recall"
        if key in found["metrics"]:
            print_metric(key, found, f"of {found['by_class'][name]} pages")
    for issue in definitions.ISSUES:
        if f"{issue}_recall" in found["metrics"]:
            print_metric(f"{issue}_recall", found, f"of {found['by_issue'][issue]} pages")


OF = {
    "false_reject_error": "of the acceptable pages", "retake_recall": "of the others",
    "retake_auc": "others against acceptable",
}  # fmt: skip


def print_metric(name: str, found: dict[str, Any], of: str) -> None:
    """A metric with its interval, if there are documents enough for one."""
    interval = found["intervals"].get(name)
    bounds = f"  ({interval['low']:.3f} to {interval['high']:.3f})" if interval else ""
    print(f"  {name:<26}{found['metrics'][name]:>8.3f}{bounds:<20}  {of}".rstrip())


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
    """Write a data set as train, val and test folders of images with CSV files, with the settings of params.yaml.

    It needs a checkout, or a params.yaml in the working folder, and no model.

    Example: winnow documents dataset clean pages
    """
    from winnow.domains.documents.rules.dataset import Settings, make_dataset

    file = (checkout_root() or Path()) / PARAMS_FILE
    if not file.exists():
        raise WinnowError(
            "a data set is made with the settings of params.yaml, which the working folder does not hold",
            where=str(Path.cwd()),
            fix="run it in a checkout of winnow, or copy its params.yaml here",
        )
    document = Document(file)
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
        filter=document.section(("documents", "filter"), Filter),
        max_rejected_share=ingest.max_rejected_share,
        label=document.section(("documents", "label"), Label),
        split=split.model_copy(update=changed),
        enough=document.section(("documents", "weight"), Weight),
        seed=derive_seed(seed, "documents", "dataset"),
    )
    metadata = make_dataset(source, target, mode, settings)
    print((target / "dataset_summary.txt").read_text(encoding="utf-8"), end="")
    print(f"\n{len(metadata)} images in {target}")
