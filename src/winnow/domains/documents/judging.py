"""What is said of a page: its calibrated estimates, its verdict with the reasons, and the entry that is printed."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from winnow.domains.documents import definitions
from winnow.domains.documents.inputs import Prepared
from winnow.domains.documents.model.estimates import BATCH, Calibration, Estimates, Rows, estimate
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.tiling import cut, mirrored
from winnow.domains.documents.rules.measures import NAMES, PRINTED_SHARE, TEXT_HEIGHT, measure
from winnow.images.codec import Pixels
from winnow.images.parallel import map_images

WAYS = {90: "90° clockwise", 180: "upside down", 270: "90° counter-clockwise"}
"""How a page lies, by the degrees clockwise."""


def entries(some: Sequence[Prepared], model: Assessor, calibration: Calibration) -> Iterator[dict[str, Any]]:
    """Entries of those pages that could be read."""
    readable = [each for each in some if not each.error]
    if not readable:
        return
    found = _estimates(model, calibration, [each.parts for each in readable], [each.measures for each in readable])
    for number, each in enumerate(readable):
        one = Estimates(*(figures[number] for figures in found))
        yield _entry(each, one, model, calibration)


def _entry(each: Prepared, found: Estimates, model: Assessor, calibration: Calibration) -> dict[str, Any]:
    score, severities = float(found.score), found.severities
    facts = {**dict(zip(NAMES, each.measures, strict=True)), TEXT_HEIGHT: each.text_height}
    if each.reading is not None:
        facts[TEXT_HEIGHT] = each.reading.capitals(facts[TEXT_HEIGHT])
    verdict, reasons = verdict_of(found, facts, model, calibration)
    if each.turned:
        told = (
            "was turned {}, and is judged upright" if each.is_upright else "is turned {} (`--turn` judges it upright)"
        )
        reasons = [*reasons, f"the page {told.format(WAYS[each.turned])}"]
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
