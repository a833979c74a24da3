"""Seconds of a thousand generated routes, at once and one by one: `python -m benchmarks.climb.speed [--model FOLDER]`.

Both in one process, so that starting Python and reading the model, which takes longer than a route, is in neither.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
import torch

from benchmarks.measure import report
from winnow.domains.climb import definitions
from winnow.domains.climb.inference import Generator
from winnow.learn.folder import model_folder

ROUTES = 1000
ALONE = 50
"""Routes written one by one; a thousand take as many times as long."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=model_folder("climb"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    generator = Generator(options.model, torch.device("cpu"))
    row = {"board": "2016", "angle": 40, "grade_index": definitions.GRADE_INDEX["6C+"]}
    generator.new_routes(pd.DataFrame([row]), seed=0)
    began = time.process_time()
    generator.new_routes(pd.DataFrame([row] * ROUTES), seed=1)
    together = time.process_time() - began
    began = time.process_time()
    for seed in range(ALONE):
        generator.new_routes(pd.DataFrame([row]), seed=seed)
    alone = (time.process_time() - began) * ROUTES / ALONE
    report(
        "climb/speed",
        {
            "routes": ROUTES,
            "CPU seconds at once": round(together, 2),
            "CPU seconds one by one": round(alone, 2),
            "times faster": round(alone / together, 1),
        },
    )


if __name__ == "__main__":
    main()
