"""
What evaluate does with so many test rows, whatever the model: the mean error of a model and of a baseline on drawn
rows, its interval and that of the difference by 1,000 resamples.

    python -m benchmarks.pipeline.judged_rows 1000000
"""

import sys

import numpy as np

from winnow.judge.intervals import bootstrap, difference, mean, values


def main() -> None:
    rows, rng = int(sys.argv[1]), np.random.default_rng(0)
    model = {"mae": mean(np.abs(rng.normal(size=rows)))}
    rival = {"mae": mean(np.abs(rng.normal(size=rows)))}
    both = {**model, "difference": difference(model["mae"], rival["mae"])}
    print(values(both, rows), bootstrap(both, rows, resamples=1000, confidence=0.95, rng=rng))


if __name__ == "__main__":
    main()
