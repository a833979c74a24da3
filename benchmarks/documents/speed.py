"""How long documents takes: a 1,000-pixel page, the embedded default, and judging pages of 2,000 pixels.

    python -m benchmarks.documents.speed [pages] [stages] [assess]

pages: mean CPU milliseconds of one core to degrade, measure and encode a page. stages: wall seconds of `dvc repro
plot@documents` in a clone of the last commit that has run nothing, and of each stage's program. assess: pages that one
core judges in a second with this checkout's model, decoding included, and the peak MiB after 10 and 60 pages.

Results go to benchmarks/documents/results/speed.json.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import clone, merge, run
from winnow.domains.documents.inference import assess_files
from winnow.domains.documents.inputs import Options
from winnow.domains.documents.rules import copies, degradations
from winnow.domains.documents.rules.measures import measure
from winnow.domains.documents.source.drawing import KINDS
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import encode_png
from winnow.learn.folder import model_folder

SIDE = 1000
COPIES = 100
REPEATS = 8
ASSESSED, ASSESSED_SIDE = 60, 2000


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Mean CPU time of one call."""
    work()
    began = time.process_time()
    for _ in range(times):
        work()
    return round(1000 * (time.process_time() - began) / times, 1)


def pages() -> Mapping[str, object]:
    rng = np.random.default_rng(0)
    drawn = [draw_page(kind, round(SIDE / 1.4), rng) for kind in KINDS]
    wanted = copies.draw_scores(COPIES, 0.1, 0.03, rng).tolist()
    began = time.process_time()
    for number, score in enumerate(wanted):
        copies.make_copy(drawn[number % len(drawn)], score, rng, max_issues=4, augmentation_share=0.3)
    whole = round(1000 * (time.process_time() - began) / COPIES, 1)
    of_issue = {
        issue: milliseconds(lambda degrade=degrade: degrade(drawn[0], 0.5, rng), REPEATS)
        for issue, degrade in {**degradations.AFTER_FRAMING, "skew": degradations.skew}.items()
    }
    of_issue["cropped"] = milliseconds(lambda: copies.crop(drawn[0], 0.5, rng), REPEATS)
    return {
        "degrade_ms": whole,
        "of_issue_ms": of_issue,
        "measure_ms": milliseconds(lambda: measure(drawn[0]), REPEATS),
        "encode_ms": milliseconds(lambda: copies.encode(drawn[0], 90), REPEATS),
    }


def stages() -> Mapping[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        copy = clone(Path(scratch, "winnow"))
        whole = run(["dvc", "repro", "plot@documents"], copy)
        lines = [json.loads(line) for line in (copy / ".winnow/ledger.jsonl").read_text().splitlines()]
    programs = {line["stage"].partition("@")[0]: round(line["seconds"], 1) for line in lines}
    return {"whole_seconds": round(whole, 1), "program_seconds": programs}


def assess() -> Mapping[str, object]:
    rng = np.random.default_rng(0)
    drawn = [draw_page(kind, round(ASSESSED_SIDE / 1.4), rng) for kind in KINDS]
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, f"{number}a.png") for number in range(ASSESSED)]
        for number, file in enumerate(files):
            file.write_bytes(encode_png(drawn[number % len(drawn)]))
        folder, device, options = model_folder("documents"), torch.device("cpu"), Options()
        peaks = []
        for some in (files[:10], files):
            began = time.process_time()
            judged = sum("score" in entry for entry in assess_files(some, folder, device, options))
            seconds = time.process_time() - began
            peaks.append(round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    return {"pages": judged, "pages_per_core_second": round(judged / seconds, 2), "peak_mib": peaks}


PARTS = {"pages": pages, "stages": stages, "assess": assess}


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        merge("documents/speed", {name: PARTS[name]()})


if __name__ == "__main__":
    main()
