"""How long documents takes: a 1,000-pixel page, and the embedded default.

    python -m benchmarks.documents.speed [pages] [stages]

pages: mean CPU milliseconds of one core to degrade, measure and encode a page. stages: wall seconds of `dvc repro
plot@documents` in a clone of the last commit that has run nothing, and of each stage's program.

Results go to benchmarks/documents/results/speed.json.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from benchmarks.measure import clone, merge, run
from winnow.domains.documents.rules import copies, degradations
from winnow.domains.documents.rules.measures import measure
from winnow.domains.documents.source.drawing import KINDS
from winnow.domains.documents.source.synthetic import draw_page

SIDE = 1000
COPIES = 100
REPEATS = 8


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


PARTS = {"pages": pages, "stages": stages}


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        merge("documents/speed", {name: PARTS[name]()})


if __name__ == "__main__":
    main()
