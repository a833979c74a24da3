"""
How the memory of documents' programs grows: peak MiB of each with few pages (or images) and with many.

    python -m benchmarks.documents.scale [ingest] [label] [whole]

Drawn pages of 200 pixels in files, the preset `tiny`; every program is started as DVC starts it. ingest: `ingest` and
`filter` with 1,000 and 10,000 pages. label: the other programs with 250 and 2,500 pages, 4 copies of each. From the
difference follow the bytes of each and what 100,000 take. whole: `ingest` of 100,000 files, ten of each page. Results
go to benchmarks/documents/results/scale.json.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
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

STARTED = """
import runpy, sys
program = sys.argv.pop()
runpy.run_module(f"stages.documents.{program}", run_name="__main__", alter_sys=True)
lines = open("/proc/self/status").read().splitlines()
open("peak", "w").write(next(line.split()[1] for line in lines if line.startswith("VmHWM")))
"""
"""A program by itself: what wait4 says of a child's peak begins with its parent's memory."""
COPIES = 4
PARTS = {
    "ingest": (("ingest", "filter"), (1000, 10_000), 1),
    "label": (("label", "split", "weight", "train", "evaluate"), (250, 2500), COPIES),
}
"""Programs, pages of the two runs, and images of each page."""
BEFORE = ("ingest", "filter")
ASKED = 100_000
DRAWN = 10_000


def draw(folder: Path, pages: int) -> None:
    """Files of drawn pages; above `DRAWN` the same pages again, under other names."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, kind in zip(range(min(pages, DRAWN)), cycle(KINDS), strict=False):
        (folder / f"{number}a.png").write_bytes(encode_png(draw_page(kind, 200, rng)))
    for number in range(DRAWN, pages):
        (folder / f"{number}a.png").hardlink_to(folder / f"{number % DRAWN}a.png")


def peaks(pages: int, programs: Sequence[str]) -> dict[str, float]:
    """Peak MiB of each program."""
    source = {"format": "clean_pages", "path": "data/source/documents/clean"}
    values = presets.overrides("documents", presets.read("documents", "tiny"))
    values |= {"documents.ingest.sources": [source], "documents.train.epochs": 1}
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        draw(Path(scratch, "pages"), pages)
        os.chdir(workspace(Path(scratch) / "workspace", Path(scratch, "pages")))
        presets.apply(values, PARAMS_FILE)
        for program in programs:
            command = [sys.executable, "-c", STARTED, program]
            subprocess.run(command, env={**os.environ, "PYTHONPATH": "src"}, check=True)
            found[program] = round(int(Path("peak").read_text()) / 1024, 1)
        os.chdir(ROOT)
    return found


def grown(programs: Sequence[str], pages: tuple[int, int], images: int) -> dict[str, Any]:
    """What each program takes, and what follows for `ASKED` pages or images."""
    before = () if programs[0] in BEFORE else BEFORE
    low, high = (peaks(each, (*before, *programs)) for each in pages)
    counts, found = [images * each for each in pages], {}
    for program in programs:
        mib = (high[program] - low[program]) / (counts[1] - counts[0])
        found[program] = {
            "number": counts,
            "peak_mib": [low[program], high[program]],
            "kib_each": round(1024 * mib, 1),
            "mib_of_100000": round(low[program] + mib * (ASKED - counts[0])),
        }
    return found


def main() -> None:
    for name in sys.argv[1:] or (*PARTS, "whole"):
        found = {"whole": peaks(ASKED, ["ingest"])} if name == "whole" else grown(*PARTS[name])
        merge("documents/scale", found)


if __name__ == "__main__":
    main()
