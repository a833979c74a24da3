"""
How the memory of documents' programs grows with the images: peak MiB of each after few and after four times as many.

    python -m benchmarks.documents.scale

Drawn pages of 200 pixels, 4 copies of each, the preset `tiny`; each size in a process of its own. From the difference
follow the bytes an image and what 100,000 images take. Results go to benchmarks/documents/results/scale.json.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.documents.pages import run_stages, workspace
from benchmarks.measure import ROOT, merge
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE

SIZES = (250, 1000)
COPIES = 4
PROGRAMS = ("ingest", "filter", "label", "split", "weight", "train", "evaluate")
ASKED = 100_000


def peaks(pages: int) -> dict[str, int]:
    """Peak MiB of this process after each program, which runs in it."""
    values = presets.overrides("documents", presets.read("documents", "tiny"))
    values |= {"documents.ingest.synthetic.pages": pages, "documents.train.epochs": 1}
    sys.path.insert(0, str(ROOT))  # for the stages
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        nothing = Path(scratch, "pages")
        nothing.mkdir()
        os.chdir(workspace(Path(scratch) / "workspace", nothing))
        presets.apply(values, PARAMS_FILE)
        for program in PROGRAMS:
            run_stages(program)
            found[program] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        os.chdir(ROOT)
    return found


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(peaks(int(sys.argv[1]))))
        return
    found = []
    for pages in SIZES:
        command = [sys.executable, "-m", "benchmarks.documents.scale", str(pages)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    images = [COPIES * pages for pages in SIZES]
    result: dict[str, Any] = {}
    for program in PROGRAMS:
        low, high = (each[program] for each in found)
        mib = (high - low) / (images[1] - images[0])
        result[program] = {
            "peak_mib": [low, high],
            "kib_an_image": round(1024 * mib, 1),
            "mib_of_100000": round(low + mib * (ASKED - images[0])),
        }
    merge("documents/scale", {"images": images, **result})


if __name__ == "__main__":
    main()
