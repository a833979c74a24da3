"""How long a page takes to be degraded, measured and judged, one core each: mean milliseconds of a 1,000-pixel page.

    env PYTHONPATH=src:. python benchmarks/documents_speed.py

Results go to benchmarks/results/documents_speed.json.
"""

import time
from collections.abc import Callable

import numpy as np
from measure import report

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


def main() -> None:
    rng = np.random.default_rng(0)
    pages = [draw_page(kind, round(SIDE / 1.4), rng) for kind in KINDS]
    wanted = copies.draw_scores(COPIES, 0.1, 0.03, rng).tolist()
    began = time.process_time()
    for number, score in enumerate(wanted):
        copies.make_copy(pages[number % len(pages)], score, rng, max_issues=4, effects_share=0.3)
    whole = round(1000 * (time.process_time() - began) / COPIES, 1)
    of_issue = {
        issue: milliseconds(lambda degrade=degrade: degrade(pages[0], 0.5, rng), REPEATS)
        for issue, degrade in {**degradations.AFTER_FRAMING, "skew": degradations.skew}.items()
    }
    of_issue["cropped"] = milliseconds(lambda: copies.crop(pages[0], 0.5, rng), REPEATS)
    figures = {
        "degrade_ms": whole,
        "of_issue_ms": of_issue,
        "measure_ms": milliseconds(lambda: measure(pages[0]), REPEATS),
        "encode_ms": milliseconds(lambda: copies.encode(pages[0], 90), REPEATS),
    }
    report("documents_speed", figures)


if __name__ == "__main__":
    main()
