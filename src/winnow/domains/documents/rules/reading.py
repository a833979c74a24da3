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

from winnow.images.codec import Pixels
from winnow.pipeline.cache import DiskCache, content_key
from winnow.pipeline.errors import WinnowError

LIKELY = 0.5
"""Confidence below which a line counts as none, as RapidOCR has it."""
MAX_BYTES = 2**30
"""Of all kept readings together."""

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
    return Reading(float(sure.mean()) if len(sure) else 0.0, len(sure), height)


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
