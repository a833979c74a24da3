"""What an OCR reads on a page, and how sure it is: RapidOCR (PP-OCR in ONNX), whose weights are in its wheel.

Needs the extra `ocr`. Nothing is read in training but what `label.read_copies` asks for, and that is kept.
"""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from winnow.images.codec import Pixels
from winnow.pipeline.cache import DiskCache, content_key
from winnow.pipeline.errors import WinnowError

LIKELY = 0.5
"""Confidence below which a line counts as none, as RapidOCR has it."""
MAX_BYTES = 2**30
"""Of all kept readings together."""

VOTERS = 3
"""Lines, at least, by which a page's direction is told, …"""
LONGER = 2.0
"""… each of them so many times as long as high, …"""
AGREED = 0.8
"""… of which such a share must agree …"""
CLEAR = 0.7
"""… that the classifier is so sure of."""
CAPITALS = (0.4, 0.5, 0.85)
"""Height of a line's capitals over that of its box: least, median and most of the clean pages in
benchmarks/documents, at sizes from 4 to 20 pixels and in all directions."""
ASKED = 24
"""Lines, at most, that it is asked about."""

_engines = local()  # an engine holds the settings of its last call


@dataclass(frozen=True)
class Reading:
    """What was read on a page."""

    readability: float
    """mean confidence over the recognised lines, 0 to 1; 0 without a line"""
    lines: int
    """lines that were read"""
    text_height: float
    """pixels: the median height of the lines, from below the letters to above them; 0 without a line"""
    turned: int | None = None
    """degrees, clockwise, by which the page is turned; None where its lines do not agree, or were not asked"""

    def capitals(self, marks: float) -> float:
        """Pixels: the height of capitals by the page's marks (0: unknown), within what the height of its lines allows.

        Marks may be the dots of a picture, or letters that touch; lines are less exact, and hardly ever far off.
        """
        if self.lines < VOTERS:
            return marks
        low, usual, high = (share * self.text_height for share in CAPITALS)
        return min(max(marks, low), high) if marks else usual


def read_page(page: Pixels, lines: int | None = None) -> Reading:
    """Read a grey page `(height, width)` as RapidOCR does by default; with `lines` only so many of its lines, evenly.

    Raises WinnowError without the extra `ocr`.
    """
    engine = _engine()
    colours = np.repeat(page[..., None], 3, axis=2)
    found = engine(colours, use_det=True, use_cls=lines is None, use_rec=lines is None)
    boxes = found.boxes
    if boxes is None or not len(boxes):
        return Reading(0.0, 0, 0.0)
    sides = np.linalg.norm(boxes - np.roll(boxes, 1, axis=1), axis=2)  # the left one first
    height = float(np.median(np.minimum(sides[:, 0], sides[:, 1])))
    if lines is None:
        scores = np.array(found.scores, dtype=np.float64)
    else:
        count = min(lines, len(boxes))
        chosen = boxes[np.floor((np.arange(count) + 0.5) * len(boxes) / count).astype(np.int64)]
        scores = np.array(engine.recognize_txt(engine.crop_text_regions(colours, chosen)).scores, dtype=np.float64)
    sure = scores[scores >= LIKELY]
    turned = _turned(engine, colours, boxes) if lines is None else None
    return Reading(float(sure.mean()) if len(sure) else 0.0, len(sure), height, turned)


def _turned(engine: Any, colours: Pixels, boxes: NDArray[np.float32]) -> int | None:
    """The direction of a page by that of its lines `(lines, 4, 2)`, corner by corner; None if too few agree.

    A line that is higher than wide lies; RapidOCR turns it by a quarter, and its classifier tells which end is up.
    """
    upright = np.linalg.norm(boxes[:, 1] - boxes[:, 0], axis=1), np.linalg.norm(boxes[:, 3] - boxes[:, 0], axis=1)
    ratio = upright[0] / np.maximum(upright[1], 1.0)
    long = np.flatnonzero(np.maximum(ratio, 1 / np.maximum(ratio, 1e-6)) >= LONGER)
    if len(long) < VOTERS:
        return None
    lies = ratio[long] < 1
    lying = bool(lies.mean() > 0.5)
    along = long[lies == lying]
    chosen = boxes[along[np.linspace(0, len(along) - 1, min(ASKED, len(along))).astype(np.int64)]]
    told = engine.cls_and_rotate(engine.crop_text_regions(colours, chosen))[1].cls_res
    votes = [label == "180" for label, confidence in told if confidence >= CLEAR]
    share = len(along) / len(long)
    if len(votes) < VOTERS or share < AGREED:
        return None
    over = float(np.mean(votes))
    if AGREED > over > 1 - AGREED:
        return None
    return 90 * int(lying) + 180 * int(over >= AGREED)


def kept_reading(page: Pixels, content: bytes, lines: int) -> Reading:
    """As `read_page` of the page that is encoded as `content`; kept between runs."""
    key = content_key(["reading", version("rapidocr"), version("onnxruntime"), str(lines), content])

    def make(path: Path) -> None:
        path.write_text(json.dumps(asdict(read_page(page, lines))))

    return DiskCache("readings", MAX_BYTES).obtain(key, make, lambda path: Reading(**json.loads(path.read_text())))


def check_installed() -> None:
    """Raises WinnowError without the extra `ocr`, before anything is read."""
    _engine()


def _engine() -> Any:
    if not hasattr(_engines, "engine"):
        try:
            import onnxruntime  # noqa: F401, PLC0415 - an extra
            from rapidocr import RapidOCR  # noqa: PLC0415
        except ImportError:
            fix = "pip install 'winnow[ocr]'"
            raise WinnowError("reading pages needs rapidocr and onnxruntime", fix=fix) from None
        threads = {f"EngineConfig.onnxruntime.{name}_op_num_threads": 1 for name in ("intra", "inter")}
        _engines.engine = RapidOCR(params={"Global.log_level": "critical", **threads})
    return _engines.engine
