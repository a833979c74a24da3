"""
Clean pages as users of such checkers complain about them, and the share of each kind that is treated rightly.

    python -m benchmarks.documents.complaints CLEAN

By the model in data/documents/train/model, the embedded default's; `pages` does the same by the models of its folds.
Results go to benchmarks/documents/results/complaints.json.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pypdfium2
import torch
from PIL import Image

from benchmarks.measure import merge
from winnow.domains.documents import definitions
from winnow.domains.documents.judging import judge_pages, verdict_of
from winnow.domains.documents.model.estimates import Calibration, Estimates, load_assessor
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.rules.ink import ink_mask, letters, text_height
from winnow.domains.documents.source.pages import read_pages
from winnow.images.codec import Pixels
from winnow.images.opencv import cv2
from winnow.judge.intervals import wilson

CONFIDENCE = 0.95
SMALL = (6, 5, 4, 3)
"""Pixels of the height of capitals, in pages whose text is too small."""

Judge = Callable[[list[Pixels]], tuple[Estimates, list[dict[str, float]]]]
"""Pages to their estimates and each one's measures by name."""


def judge_by(model: Assessor, calibration: Calibration) -> Judge:
    """A judge of any number of pages, eight at a time."""

    def judge(pages: list[Pixels]) -> tuple[Estimates, list[dict[str, float]]]:
        parts = [judge_pages(model, calibration, pages[start : start + 8]) for start in range(0, len(pages), 8)]
        estimates = Estimates(*(np.concatenate(each) for each in zip(*(found for found, _ in parts), strict=True)))
        return estimates, [facts for _, measures in parts for facts in measures]

    return judge


def bounds(values: Any, decimals: int = 4) -> dict[str, float]:
    return {"low": round(float(values.low), decimals), "high": round(float(values.high), decimals)}


def complaints(judge: Judge, pages: list[Pixels], model: Assessor, calibration: Calibration) -> pd.DataFrame:
    """What users of such checkers complain of, tried on clean pages: a row per page and variant of it.

    Columns: variant, accepted, not_retaken, with_reasons, flagged_low_resolution, and same: whether the verdict is that
    of the page as it is.
    """
    variants: dict[str, list[Pixels]] = {
        "as_they_are": pages,
        "bitonal": [np.where(page < 160, 0, 255).astype(np.uint8) for page in pages],
        "high_resolution": [cv2.resize(page, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC) for page in pages],
        "nearly_empty": [nearly_empty(page) for page in pages],
        "edge_line_left": [edge_line(page, np.s_[:, :2]) for page in pages],
        "edge_line_right": [edge_line(page, np.s_[:, -2:]) for page in pages],
        "lid_corners": [lid_corners(page) for page in pages],
        "in_a_pdf": [in_a_pdf(page) for page in pages],
        "printed_picture": [with_picture(page) for page in pages],
        **{f"text_of_{height}": [with_text_of(page, height) for page in pages] for height in SMALL},
        "scaled_up": [scaled_up(page) for page in pages],
    }
    place, rows, plain = definitions.ISSUES.index("low_resolution"), [], []
    for name, variant in variants.items():
        found, measures = judge(variant)
        for number, facts in enumerate(measures):
            one = Estimates(*(figures[number] for figures in found))
            verdict, reasons = verdict_of(one, facts, model, calibration)
            flagged = one.severities[place] >= model.decision.flag_from
            if name == "as_they_are":
                plain.append(verdict)
            same = verdict == plain[number]
            rows.append((name, verdict == "accept", verdict != "retake", bool(reasons), bool(flagged), same))
    columns = ["variant", "accepted", "not_retaken", "with_reasons", "flagged_low_resolution", "same"]
    return pd.DataFrame(rows, columns=columns)


def treated(rows: pd.DataFrame) -> dict[str, Any]:
    """The share of each variant's pages that is treated as it should be, of the rows of `complaints`."""
    accepted = {}
    small = rows["variant"].str.startswith("text_of_")
    for name, part in rows[(rows["variant"] != "scaled_up") & ~small].groupby("variant"):
        right = int(part["accepted"].sum())
        accepted[str(name)] = {
            "pages": len(part),
            "accepted": round(right / len(part), 4),
            "not_retaken": round(float(part["not_retaken"].mean()), 4),
            "interval": bounds(wilson(right, len(part), CONFIDENCE)),
        }
    flagged = rows.loc[rows["variant"] == "scaled_up", "flagged_low_resolution"]
    retaken = {
        str(name): {"pages": len(part), "retaken": round(1 - float(part["not_retaken"].mean()), 4)}
        for name, part in rows[small].groupby("variant")
    }
    in_pdf = rows.loc[rows["variant"] == "in_a_pdf", "same"]
    return {
        "accepted": accepted,
        "retaken": retaken,
        "same_verdict_in_a_pdf": round(float(in_pdf.mean()), 4),
        "scaled_up_is_flagged_low_resolution": round(float(flagged.mean()), 4),
        "with_reasons": round(float(rows["with_reasons"].mean()), 4),
    }


def nearly_empty(page: Pixels) -> Pixels:
    """The page with all but its upper eighth of print taken away."""
    blank = page.copy()
    inked = np.flatnonzero((page < 128).any(axis=1))
    blank[inked[0] + max(len(inked) // 8, 30) if len(inked) else 0 :] = 255
    return np.asarray(blank, dtype=np.uint8)


def edge_line(page: Pixels, edge: tuple[slice, slice]) -> Pixels:
    """The page with a black line of two pixels along an edge."""
    changed = page.copy()
    changed[edge] = 0
    return changed


def with_picture(page: Pixels) -> Pixels:
    """The page with a picture printed in dots, 6 pixels apart, over the middle 30% of its height."""
    changed, (height, width) = page.copy(), page.shape
    y, x = np.mgrid[: round(0.3 * height), :width]
    tone = 0.5 + 0.35 * np.sin(4 * np.pi * x / width) * np.cos(6 * np.pi * y / height)
    dots = 0.5 + (np.cos(np.pi * x / 3) + np.cos(np.pi * y / 3)) / 4
    start = round(0.35 * height)
    changed[start : start + len(y)] = np.where(dots > tone, 30, 255)
    return changed


def lid_corners(page: Pixels) -> Pixels:
    """The page with a dark corner at the top left and the bottom right, 4% of its longer side."""
    changed, side = page.copy(), round(0.04 * max(page.shape))
    height, width = page.shape
    for corner in (
        [(0, 0), (side, 0), (0, side)],
        [(width - 1, height - 1), (width - 1 - side, height - 1), (width - 1, height - 1 - side)],
    ):
        cv2.fillPoly(changed, [np.array(corner, dtype=np.int32)], 40)
    return changed


def in_a_pdf(page: Pixels) -> Pixels:
    """The page as it is read from a PDF that holds it without loss."""
    return read_pages(pdf_of(page), ".pdf", definitions.Preparation(2000, 120))[0]


def pdf_of(page: Pixels, *, angle: int = 0) -> bytes:
    """A PDF of one page at 150 dots per inch that holds the page without loss, turned by `angle` degrees."""
    document = pypdfium2.PdfDocument.new()
    height, width = page.shape[:2]
    sheet = document.new_page(width * 72 / 150, height * 72 / 150)
    image = pypdfium2.PdfImage.new(document)
    image.set_bitmap(pypdfium2.PdfBitmap.from_pil(Image.fromarray(page)))
    image.set_matrix(pypdfium2.PdfMatrix().scale(width * 72 / 150, height * 72 / 150))
    sheet.insert_obj(image)
    sheet.gen_content()
    sheet.set_rotation(angle)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def with_text_of(page: Pixels, height: int) -> Pixels:
    """The page, reduced until its capitals are so many pixels high."""
    share = height / text_height(letters(ink_mask(page)))
    return np.asarray(cv2.resize(page, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def scaled_up(page: Pixels) -> Pixels:
    """The page reduced to 35% and enlarged again."""
    small = cv2.resize(page, None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, page.shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def main() -> None:
    model, calibration = load_assessor(torch.device("cpu"))
    files = sorted(Path(sys.argv[1]).glob("*.png"))
    pages = [read_pages(file.read_bytes(), file.suffix, model.preparation)[0] for file in files]
    found = treated(complaints(judge_by(model, calibration), pages, model, calibration))
    merge("documents/complaints", {"embedded": found})


if __name__ == "__main__":
    main()
