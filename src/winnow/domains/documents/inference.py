"""What a user does with the trained assessor: judge scans, and judge the assessor on another labelled set.

Everything is done as the model's folder says; params.yaml decides only the device.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from winnow.domains.documents import definitions
from winnow.domains.documents.metrics import issue_statistics, statistics
from winnow.domains.documents.model.estimates import (
    BATCH,
    SEEN,
    Calibration,
    Estimates,
    Floats,
    Rows,
    estimate,
    load_assessor,
)
from winnow.domains.documents.model.heatmaps import explain
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.tiling import cut, mirrored
from winnow.domains.documents.rules.ink import direction, ink_mask
from winnow.domains.documents.rules.measures import NAMES, PRINTED_SHARE, TEXT_HEIGHT, measure
from winnow.domains.documents.rules.reading import Reading, check_installed, read_page
from winnow.domains.documents.source import formats
from winnow.domains.documents.source.files import documents_of
from winnow.domains.documents.source.pages import FRAMES, open_pages, page_hash, read_pages
from winnow.domains.documents.tables import Seen
from winnow.images.alike import print_map, same_map
from winnow.images.codec import ImageError, Pixels, encode_png
from winnow.images.listing import distinct_names
from winnow.images.opencv import cv2
from winnow.images.parallel import map_images
from winnow.judge.intervals import Interval, Statistic, bootstrap, values
from winnow.learn.devices import keep_freed_memory
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path
from winnow.pipeline.tables import read_table
from winnow.show.heat import overlay

RESAMPLES, CONFIDENCE, SEED = 1000, 0.95, 0
"""Of the intervals on a user's own pages."""
ENOUGH = 10.0
"""Pixels of a text's height by which the direction of a page is found."""
SEVERAL = (".pdf", *FRAMES)
"""Files that may hold several pages."""


@dataclass(frozen=True)
class Options:
    """What is done with each page besides judging it."""

    explained: Path | None = None
    """folder for heat maps"""
    turn: bool = False
    """judge pages that lie on their side or head as if they were upright"""
    ocr: bool = False
    """also read each page by an OCR"""


@dataclass(frozen=True)
class _Task:
    """One page to be prepared; of a file with one page, the file is read then."""

    file: Path
    number: int
    pages: int
    page: Pixels | None
    error: str = ""


@dataclass(frozen=True)
class _Prepared:
    """A page as the network sees it, or why there is none."""

    task: _Task
    page: Pixels
    parts: NDArray[np.uint8]
    measures: list[float]
    turned: int
    error: str = ""
    reading: Reading | None = None


def assess_files(
    files: Sequence[Path], folder: Path, device: torch.device, options: Options
) -> Iterator[dict[str, Any]]:
    """One entry per page, in the order given, as soon as it is known: memory does not grow with the pages.

    `score`, `class`, `probabilities`, `legibility`, `framing`, the flagged `issues` with their severities, `verdict`
    and `reasons`, the degrees by which the page is `turned` and its `text_height` in pixels, with the heat map's file
    as `explained` when a folder for them is given; `readability` as the network has learnt it from an OCR, if it has,
    and `ocr_readability` as one reads this page, with its `ocr_lines` and their median `ocr_text_height` in pixels, if
    it shall: `turned`, `text_height` and the verdict then rest on its lines, too, where enough of them agree; or the
    `error` that keeps a file from being judged.
    `document` names what it is a page of; the last page of a document has the whole document's `document_verdict`.
    """
    keep_freed_memory()
    return assess_with(*load_assessor(device, folder), files, options)


def assess_with(
    model: Assessor, calibration: Calibration, files: Sequence[Path], options: Options
) -> Iterator[dict[str, Any]]:
    """`assess_files` by a model that is loaded already."""
    if options.ocr:
        check_installed()
    names = distinct_names(files)
    documents = documents_of(str(file.with_suffix("")) for file in files)
    of_file = {file: documents[str(file.with_suffix(""))] for file in files}
    to_come = pd.Series(list(of_file.values())).value_counts().to_dict()
    verdicts: dict[str, list[str]] = {}

    def prepare(task: _Task) -> _Prepared:
        return _prepared(task, model, options)

    prepared = map_images(prepare, _tasks(files, model.preparation))
    while some := list(islice(prepared, BATCH)):
        judged = iter(_judged(some, model, calibration))
        for each in some:
            task, document = each.task, of_file[each.task.file]
            unread: dict[str, Any] = {"file": str(task.file), "error": each.error}
            entry = unread if each.error else next(judged)
            entry["document"] = document
            verdicts.setdefault(document, []).append(entry.get("verdict", "error"))
            if options.explained is not None and not each.error:
                page_name = f"#{task.number + 1}" if task.pages > 1 else ""  # `_p1` may be a file's own name
                target = options.explained / f"{names[task.file]}{page_name}_heat.png"
                entry["explained"] = str(_save(target, _explained(model, each.page)))
            if task.number + 1 >= task.pages or each.error:
                to_come[document] -= 1
                if not to_come[document]:
                    entry["document_pages"] = len(verdicts[document])
                    entry["document_verdict"] = worst(verdicts.pop(document))
            yield entry


def worst(verdicts: Sequence[str]) -> str:
    """The verdict on a document, of those on its pages: blank only if all of its pages are."""
    order = ["error", "retake", "warn", "accept", "blank"]
    return min(verdicts, key=order.index)


def _tasks(files: Sequence[Path], preparation: definitions.Preparation) -> Iterator[_Task]:
    """The pages of all files; those of a file that may hold several are read here, one at a time."""
    for file in files:
        if file.suffix.lower() not in SEVERAL:
            yield _Task(file, 0, 1, None)
            continue
        number = 0
        try:
            count, pages = open_pages(file.read_bytes(), file.suffix, preparation)
            for number, page in enumerate(pages):
                yield _Task(file, number, count, page)
        except (ImageError, OSError) as error:
            yield _Task(file, number, number, None, reason(error))


def _prepared(task: _Task, model: Assessor, options: Options) -> _Prepared:
    nothing = np.zeros((0, 0), dtype=np.uint8)
    page, error = task.page, task.error
    if page is None and not error:
        try:
            (page,) = read_pages(task.file.read_bytes(), task.file.suffix, model.preparation)
        except (ImageError, OSError) as failed:
            error = reason(failed)
    if page is None:
        return _Prepared(task, nothing, nothing, [], 0, error)
    found, reading = measure(page), read_page(page) if options.ocr else None
    turned = reading.turned if reading else None
    if turned is None:
        turned = _direction(page, found[TEXT_HEIGHT])
    if turned and options.turn:
        page = np.ascontiguousarray(np.rot90(page, turned // 90))
        found, reading = measure(page), read_page(page) if options.ocr else None
    parts, measures = cut(page, model.tiling), list(found.values())
    return _Prepared(task, page if options.explained else nothing, parts, measures, turned, reading=reading)


def _direction(page: Pixels, height: float) -> int:
    """The degrees by which a page is turned, found on a copy that is no larger than its text needs."""
    share = ENOUGH / height if height > ENOUGH else 1.0
    small = page if share == 1 else cv2.resize(page, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return direction(ink_mask(np.asarray(small, dtype=np.uint8)))


def reason(error: ImageError | OSError) -> str:
    """Why a file cannot be judged."""
    return f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)


def _judged(some: Sequence[_Prepared], model: Assessor, calibration: Calibration) -> Iterator[dict[str, Any]]:
    """Entries of those pages that could be read."""
    readable = [each for each in some if not each.error]
    if not readable:
        return
    found = _estimates(model, calibration, [each.parts for each in readable], [each.measures for each in readable])
    for number, each in enumerate(readable):
        one = Estimates(*(figures[number] for figures in found))
        yield _entry(each, one, model, calibration)


def _entry(each: _Prepared, found: Estimates, model: Assessor, calibration: Calibration) -> dict[str, Any]:
    score, severities = float(found.score), found.severities
    facts = dict(zip(NAMES, each.measures, strict=True))
    if each.reading is not None:
        facts[TEXT_HEIGHT] = each.reading.capitals(facts[TEXT_HEIGHT])
    verdict, reasons = verdict_of(found, facts, model, calibration)
    if each.turned:
        reasons = [*reasons, f"the page is turned by {each.turned}° (`--turn` judges it upright)"]
    flagged = [
        place for place in np.argsort(-severities, kind="stable") if severities[place] >= model.decision.flag_from
    ]
    readable = {} if np.isnan(found.readability) else {"readability": round(float(found.readability), 4)}
    if each.reading is not None:
        readable |= {
            "ocr_readability": round(each.reading.readability, 4),
            "ocr_lines": each.reading.lines,
            "ocr_text_height": round(each.reading.text_height, 1),
        }
    return {
        "file": str(each.task.file),
        "page": each.task.number + 1,
        "pages": each.task.pages,
        "verdict": verdict,
        "reasons": reasons,
        "score": round(score, 4),
        "class": definitions.CLASSES[int(definitions.class_of(round(score, 4)))],
        "probabilities": {
            name: round(float(value), 4) for name, value in zip(definitions.CLASSES, found.probabilities, strict=True)
        },
        "legibility": round(float(found.legibility), 4),
        "framing": round(max(float(definitions.severity_score(severities, definitions.FRAMING)), score), 4),
        **readable,
        "issues": {definitions.ISSUES[place]: round(float(severities[place]), 4) for place in flagged},
        "turned": each.turned,
        "text_height": round(facts[TEXT_HEIGHT], 1),
    }


def verdict_of(
    found: Estimates, facts: dict[str, float], model: Assessor, calibration: Calibration
) -> tuple[definitions.Verdict, list[str]]:
    """The verdict on one page, of its estimates and its measures by name, with the reasons."""
    return definitions.decide(
        float(found.score),
        found.severities,
        calibration.retake_below,
        model.decision,
        text_height=facts[TEXT_HEIGHT],
        printed_share=facts[PRINTED_SHARE],
    )


def judge_data(path: Path, folder: Path, device: torch.device) -> dict[str, Any]:
    """The assessor's metrics on a labelled folder (or its CSV), without pages that it was trained or validated on.

    Each metric with its interval over documents and, where it is a share of some pages alone, their number. Pages of
    which only issues are known count in the metrics of issues alone. Raises SourceError, and WinnowError when nothing
    is left to judge.
    """
    listing = formats.read("labelled", path)
    model, calibration = load_assessor(device, folder)
    seen = read_table(folder / SEEN, Seen)
    rejected, known_pages = [reason for _, _, reason in listing.rejected], 0
    parts: list[Estimates] = []
    verdicts: list[str] = []
    rows: list[dict[str, Any]] = []
    of_name = documents_of(record.name for record in listing.records)
    for record in listing.records:
        assert isinstance(record.content, Path)
        try:
            pages = read_pages(record.content.read_bytes(), record.content.suffix, model.preparation)
        except (ImageError, OSError) as error:
            rejected.append(reason(error))
            continue
        new = _unseen(pages, seen)
        known_pages += len(pages) - len(new)
        if not new:
            continue
        found, measures = judge_pages(model, calibration, new)
        parts.append(found)
        score = np.nan if record.label is None else definitions.CENTRES[record.label]
        flags = [np.nan if record.issues is None else float(issue in record.issues) for issue in definitions.ISSUES]
        for number, facts in enumerate(measures):
            one = Estimates(*(figures[number] for figures in found))
            verdicts.append(verdict_of(one, facts, model, calibration)[0])
            own = score if record.score is None else record.score
            rows.append({"document": record.document or of_name[record.name], "score": own, "flags": flags})
    if not parts:
        reasons = [*sorted(set(rejected))[:3], *[f"{known_pages} seen in training"] * bool(known_pages)]
        raise WinnowError(
            f"no page of {path} can be judged: {'; '.join(reasons)}",
            fix="check its CSV and its files, and name pages that the model was not trained on",
        )
    joined = Estimates(*(np.concatenate(each) for each in zip(*parts, strict=True)))
    true = np.array([row["score"] for row in rows], dtype=np.float64)
    flagged = np.array([row["flags"] for row in rows], dtype=np.float64)
    labels = definitions.class_of(true[~np.isnan(true)])
    documents = [row["document"] for row in rows]
    predicted = definitions.class_of(joined.score[~np.isnan(true)])
    told = definitions.collapse(predicted.tolist(), labels.tolist())
    metrics, intervals = _metrics(true, flagged, joined, calibration.retake_below, model.decision.flag_from, documents)
    return {
        "pages": {
            "in_source": listing.rows,
            "rejected": len(rejected),
            "seen_in_training": known_pages,
            "judged": len(rows),
        },
        "reasons": sorted(set(rejected)),
        "documents": len(set(documents)),
        "unacceptable": int((true < definitions.ACCEPTABLE_FROM).sum()),
        "acceptable": int((true >= definitions.ACCEPTABLE_FROM).sum()),
        "warnings": [told] if told else [],
        "by_class": {name: int((labels == number).sum()) for number, name in enumerate(definitions.CLASSES)},
        "by_issue": dict(zip(definitions.ISSUES, (flagged == 1).sum(axis=0).tolist(), strict=True)),
        "verdicts": {verdict: verdicts.count(verdict) for verdict in definitions.VERDICTS},
        "threshold": calibration.retake_below,
        "metrics": metrics,
        "intervals": {name: {"low": each.low, "high": each.high} for name, each in intervals.items()},
    }


def _metrics(
    scores: Floats, flags: Floats, found: Estimates, retake_below: float, flag_from: float, documents: list[str]
) -> tuple[dict[str, float], dict[str, Interval]]:
    """Those of the rows whose score is known, and those of the issues whose flags are; `scores`, `flags` may be NaN.

    With the intervals over documents, which need two.
    """
    known, groups = ~np.isnan(scores), np.array(documents)
    of_score: dict[str, Statistic] = {}
    if known.any():
        rows = pd.DataFrame(found.probabilities[known], columns=definitions.probability_columns()).assign(
            true_score=scores[known],
            true_label=definitions.class_of(scores[known]),
            score=found.score[known],
            label=definitions.class_of(found.score[known]),
            rejected=found.score[known] < retake_below,
        )
        of_score = statistics(rows)
    metrics: dict[str, float] = {}
    intervals: dict[str, Interval] = {}
    of_issues = issue_statistics(flags, found.severities, flag_from)
    for each, drawn in ((of_score, groups[known]), (of_issues, groups)):
        metrics |= values(each, len(drawn))
        if each and len(set(drawn)) > 1:
            rng, rows_drawn = np.random.default_rng(SEED), len(drawn)
            intervals |= bootstrap(each, rows_drawn, resamples=RESAMPLES, confidence=CONFIDENCE, rng=rng, groups=drawn)
    return metrics, intervals


def judge_pages(
    model: Assessor, calibration: Calibration, pages: Sequence[Pixels]
) -> tuple[Estimates, list[dict[str, float]]]:
    """Calibrated estimates of pages, the mean over the model's views, and each page's measures by name."""
    prepared = list(map_images(lambda page: (cut(page, model.tiling), measure(page)), pages))
    measures = [found for _, found in prepared]
    parts = [row for row, _ in prepared]
    return _estimates(model, calibration, parts, [list(found.values()) for found in measures]), measures


def _estimates(
    model: Assessor, calibration: Calibration, parts: Sequence[NDArray[np.uint8]], measures: Sequence[list[float]]
) -> Estimates:
    rows = torch.from_numpy(np.stack(parts))
    places = torch.arange(len(rows))
    views = [Rows(mirrored(rows, model.tiling, view), places) for view in range(model.tta_views)]
    return calibration.apply(estimate(model, views, torch.tensor(measures, dtype=torch.float32), BATCH))


def _unseen(pages: Sequence[Pixels], seen: pd.DataFrame) -> list[Pixels]:
    """The pages that show something else than those that the model was trained or validated on.

    Seen is what looks alike and has its print at the same places: another filling of a form is a new page.
    """
    hashes = np.array([list(bytes.fromhex(text)) for text in seen["perceptual_hash"]], dtype=np.uint8)
    limit = int(seen["max_hash_distance"].iloc[0])

    def known(page: Pixels) -> bool:
        own, bits = print_map(page), np.frombuffer(bytes.fromhex(page_hash(page)), np.uint8)
        near = np.flatnonzero(np.bitwise_count(hashes ^ bits).sum(axis=1) <= limit)
        return any(same_map(own, bytes.fromhex(seen["print_map"].iloc[place])) for place in near)

    return [page for page in pages if not known(page)]


def _explained(model: Assessor, page: Pixels) -> Pixels:
    pictures = explain(model, page)
    return overlay(encode_png(pictures.page), encode_png(pictures.heat))


def _save(target: Path, picture: Pixels) -> Path:
    with atomic_path(target) as scratch:
        scratch.write_bytes(encode_png(picture))
    return target
