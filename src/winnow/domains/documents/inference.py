"""What a user does with the trained assessor: judge scans, and judge the assessor on another labelled set.

Everything is done as the model's folder says; params.yaml decides only the device.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.domains.documents import definitions
from winnow.domains.documents.metrics import issue_statistics, statistics
from winnow.domains.documents.model.estimates import SEEN, Calibration, Estimates, Floats, estimate, load_assessor
from winnow.domains.documents.model.heatmaps import explain
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.tiling import cut, mirrored
from winnow.domains.documents.rules.measures import measure
from winnow.domains.documents.source import formats
from winnow.domains.documents.source.pages import SUFFIXES, page_hash, read_pages
from winnow.domains.documents.tables import Seen
from winnow.images.codec import ImageError, Pixels, encode_png
from winnow.images.listing import distinct_names, image_files
from winnow.images.parallel import map_images
from winnow.images.perceptual import near_any
from winnow.judge.intervals import values
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path
from winnow.pipeline.tables import read_table
from winnow.show.heat import overlay

BATCH = 16
"""Pages at a time."""


@dataclass(frozen=True)
class Scan:
    """One file and its pages, or the reason why it cannot be read."""

    file: Path
    pages: list[Pixels]
    error: str = ""


def assess_files(
    paths: Sequence[Path], explained: Path | None, folder: Path, device: torch.device
) -> list[dict[str, Any]]:
    """One entry per page, in the order given; a folder means the files in it.

    `score`, `class`, `probabilities`, `legibility`, `framing`, the flagged `issues` with their severities, `verdict`
    and `reasons`, with the heat map's file as `explained` when a folder for them is given; or the `error` that keeps a
    file from being judged.
    """
    files = image_files(paths, SUFFIXES, "page")
    names = distinct_names(files)
    model, calibration = load_assessor(device, folder)
    entries: list[dict[str, Any]] = []
    for scan in _read(files, model.preparation):
        if scan.error:
            entries.append({"file": str(scan.file), "error": scan.error})
            continue
        found = judge_pages(model, calibration, scan.pages)
        for number, page in enumerate(scan.pages):
            entry = _entry(scan, number, Estimates(*(values[number] for values in found)), model, calibration)
            if explained is not None:
                pictures = explain(model, page)
                page_name = f"#{number + 1}" if len(scan.pages) > 1 else ""  # `_p1` may be a file's own name
                picture = overlay(encode_png(pictures.page), encode_png(pictures.heat))
                entry["explained"] = str(_save(explained / f"{names[scan.file]}{page_name}_heat.png", picture))
            entries.append(entry)
    return entries


def judge_data(path: Path, folder: Path, device: torch.device) -> dict[str, Any]:
    """The assessor's metrics on a labelled folder (or its CSV), without pages that it was trained or validated on.

    Pages of which only issues are known count in the metrics of issues alone. Raises SourceError, and WinnowError when
    nothing is left to judge.
    """
    listing = formats.read("labelled", path)
    model, calibration = load_assessor(device, folder)
    seen = read_table(folder / SEEN, Seen)
    rejected, known_pages = [reason for _, _, reason in listing.rejected], 0
    parts: list[Estimates] = []
    verdicts: list[str] = []
    scores: list[float] = []
    flags: list[list[float]] = []
    records = {record.content: record for record in listing.records if isinstance(record.content, Path)}
    for scan in _read(list(records), model.preparation):
        record = records[scan.file]
        if scan.error:
            rejected.append(scan.error)
            continue
        new = _unseen(scan.pages, seen)
        known_pages += len(scan.pages) - len(new)
        if not new:
            continue
        found = judge_pages(model, calibration, new)
        parts.append(found)
        score = np.nan if record.label is None else definitions.CENTRES[record.label]
        score = score if record.score is None else record.score
        flagged = [np.nan if record.issues is None else float(issue in record.issues) for issue in definitions.ISSUES]
        for number in range(len(new)):
            scores.append(score)
            flags.append(flagged)
            verdicts.append(_verdict(found, number, model, calibration)[0])
    if not parts:
        reasons = [*sorted(set(rejected))[:3], *[f"{known_pages} seen in training"] * bool(known_pages)]
        raise WinnowError(
            f"no page of {path} can be judged: {'; '.join(reasons)}",
            fix="check its CSV and its files, and name pages that the model was not trained on",
        )
    joined, true = Estimates(*(np.concatenate(values) for values in zip(*parts, strict=True))), np.array(scores)
    labels = definitions.class_of(true[~np.isnan(true)])
    return {
        "pages": {
            "in_source": listing.rows,
            "rejected": len(rejected),
            "seen_in_training": known_pages,
            "judged": len(scores),
        },
        "reasons": sorted(set(rejected)),
        "by_class": {name: int((labels == number).sum()) for number, name in enumerate(definitions.CLASSES)},
        "verdicts": {verdict: verdicts.count(verdict) for verdict in definitions.VERDICTS},
        "threshold": calibration.retake_below,
        "metrics": _metrics(true, np.array(flags), joined, calibration.retake_below, model.decision.flag_from),
    }


def _metrics(
    scores: Floats, flags: Floats, found: Estimates, retake_below: float, flag_from: float
) -> dict[str, float]:
    """Those of the rows whose score is known, and those of the issues whose flags are; `scores`, `flags` may be NaN."""
    of_issues = values(issue_statistics(flags, found.severities, flag_from), len(scores))
    known = ~np.isnan(scores)
    if not known.any():
        return of_issues
    rows = pd.DataFrame(found.probabilities[known], columns=definitions.probability_columns()).assign(
        true_score=scores[known],
        true_label=definitions.class_of(scores[known]),
        score=found.score[known],
        rejected=found.score[known] < retake_below,
    )
    return values(statistics(rows), len(rows)) | of_issues


def judge_pages(model: Assessor, calibration: Calibration, pages: Sequence[Pixels]) -> Estimates:
    """Calibrated estimates of pages, the mean over the model's views."""
    prepared = list(map_images(lambda page: (cut(page, model.tiling), list(measure(page).values())), pages))
    parts = torch.from_numpy(np.stack([row for row, _ in prepared]))
    measures = torch.tensor([values for _, values in prepared], dtype=torch.float32)
    views = [mirrored(parts, model.tiling, view) for view in range(model.tta_views)]
    return calibration.apply(estimate(model, views, measures, BATCH))


def _read(files: Sequence[Path], preparation: definitions.Preparation) -> Iterator[Scan]:
    for file in files:
        try:
            yield Scan(file, read_pages(file.read_bytes(), file.suffix, preparation))
        except ImageError as error:
            yield Scan(file, [], str(error))
        except OSError as error:
            yield Scan(file, [], f"cannot be read: {error.strerror}")


def _unseen(pages: Sequence[Pixels], seen: pd.DataFrame) -> list[Pixels]:
    """The pages that show something else than those that the model was trained or validated on."""
    hashes, limit = seen["perceptual_hash"].tolist(), int(seen["max_hash_distance"].iloc[0])
    known = near_any([page_hash(page) for page in pages], hashes, limit)
    return [page for page, is_known in zip(pages, known, strict=True) if not is_known]


def _verdict(
    found: Estimates, number: int, model: Assessor, calibration: Calibration
) -> tuple[definitions.Verdict, list[str]]:
    score, severities = float(found.score[number]), found.severities[number]
    return definitions.decide(score, severities, calibration.retake_below, model.decision)


def _entry(scan: Scan, number: int, found: Estimates, model: Assessor, calibration: Calibration) -> dict[str, Any]:
    score, severities = float(found.score), found.severities
    verdict, reasons = definitions.decide(score, severities, calibration.retake_below, model.decision)
    flagged = [
        place for place in np.argsort(-severities, kind="stable") if severities[place] >= model.decision.flag_from
    ]
    return {
        "file": str(scan.file),
        "page": number + 1,
        "pages": len(scan.pages),
        "verdict": verdict,
        "reasons": reasons,
        "score": round(score, 4),
        "class": definitions.CLASSES[int(found.probabilities.argmax())],
        "probabilities": {
            name: round(float(value), 4) for name, value in zip(definitions.CLASSES, found.probabilities, strict=True)
        },
        "legibility": round(float(found.legibility), 4),
        "framing": round(float(definitions.severity_score(severities, definitions.FRAMING)), 4),
        "issues": {definitions.ISSUES[place]: round(float(severities[place]), 4) for place in flagged},
    }


def _save(target: Path, picture: Pixels) -> Path:
    with atomic_path(target) as scratch:
        scratch.write_bytes(encode_png(picture))
    return target
