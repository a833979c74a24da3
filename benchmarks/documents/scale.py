"""
How the memory of documents' programs grows with the images: peak MiB of each after few and after four times as many.

    python -m benchmarks.documents.scale

Drawn pages of 200 pixels in files, 4 copies of each, the preset `tiny`; every program in a process of its own. From the
difference follow the bytes an image and what 100,000 images take. Results go to
benchmarks/documents/results/scale.json.
"""

import os
import sys
import tempfile
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.documents.pages import workspace
from benchmarks.measure import ROOT, merge
from winnow.domains.documents.source.drawing import KINDS
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import encode_png
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE

SIZES = (250, 1000)
COPIES = 4
PROGRAMS = ("ingest", "filter", "label", "split", "weight", "train", "evaluate")
ASKED = 100_000


def peaks(pages: int) -> dict[str, float]:
    """Peak MiB of each program."""
    source = {"format": "clean_pages", "path": "data/source/documents/clean"}
    values = presets.overrides("documents", presets.read("documents", "tiny"))
    values |= {"documents.ingest.sources": [source], "documents.train.epochs": 1}
    found, rng = {}, np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "pages")
        folder.mkdir()
        for number, kind in zip(range(pages), cycle(KINDS), strict=False):
            (folder / f"{number}a.png").write_bytes(encode_png(draw_page(kind, 200, rng)))
        os.chdir(workspace(Path(scratch) / "workspace", folder))
        presets.apply(values, PARAMS_FILE)
        code = "import sys; from benchmarks.documents.pages import run_stages; run_stages(sys.argv[1])"
        for program in PROGRAMS:
            process = os.posix_spawn(
                sys.executable, [sys.executable, "-c", code, program], {**os.environ, "PYTHONPATH": str(ROOT)}
            )
            _, status, usage = os.wait4(process, 0)
            if status:
                raise SystemExit(f"{program} failed")
            found[program] = round(usage.ru_maxrss / 1024, 1)
        os.chdir(ROOT)
    return found


def main() -> None:
    low, high = (peaks(pages) for pages in SIZES)
    images = [COPIES * pages for pages in SIZES]
    result: dict[str, Any] = {}
    for program in PROGRAMS:
        mib = (high[program] - low[program]) / (images[1] - images[0])
        result[program] = {
            "peak_mib": [low[program], high[program]],
            "kib_an_image": round(1024 * mib, 1),
            "mib_of_100000": round(low[program] + mib * (ASKED - images[0])),
        }
    merge("documents/scale", {"images": images, **result})


if __name__ == "__main__":
    main()
