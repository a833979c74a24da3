"""How closely the grade follows a route's geometry and holds, on drawn problems and on real ones.

    python -m benchmarks.climb.drawn FOLDER      (the real files, as `<format>_….json.gz`)

Spearman's rank correlations with the grade over training routes, and how often the grade judge, fitted on as many real
training routes as there are drawn ones, is right within a grade on validation routes, beside the one answer that is
right most often. No test route is used. Results go to `benchmarks/climb/results/drawn.json`.
"""

import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from shutil import copy

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from benchmarks.measure import report
from tests.stages.programs import Programs
from winnow.domains.climb import definitions
from winnow.domains.climb.model.features import geometry
from winnow.domains.climb.model.grades import fit_judge
from winnow.domains.climb.model.sequences import Sequences, encode

CLIMB = Programs("climb")
MEASURES = {
    "number of holds": 0, "longest move": 4, "mean move": 5,
    "longest step up": 9, "mean step up": 10, "widest step across": 12,
}  # fmt: skip
"""Columns of `geometry`."""


def sides(files: list[Path]) -> tuple[Sequences, Sequences]:
    """Training and validation routes of real files, or drawn ones if there is none."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        target = Path("data", "source", "climb")
        target.mkdir(parents=True)
        for file in files:
            copy(file, target)
        sources = [{"format": file.name.split("_")[0], "path": str(target / file.name)} for file in files]
        CLIMB.run("ingest", sources=sources)
        for stage in ("filter", "label", "split"):
            CLIMB.run(stage)
        labels, tokens = CLIMB.table("label/labels.parquet"), CLIMB.table("label/tokens.parquet")
        side = labels["route_id"].map(CLIMB.table("split/splits.parquet").set_index("route_id")["split"])
        train, val = (encode(labels[side == name], tokens) for name in ("train", "val"))
        return train, val


def measured(train: Sequences, val: Sequences, routes: int) -> dict[str, float]:
    """The correlations, and the judge fitted on so many training routes, drawn at random."""
    features, grades = geometry(train), train.conditions[:, 2]
    found = {name: float(spearmanr(features[:, column], grades)[0]) for name, column in MEASURES.items()}
    chosen = np.isin(np.arange(len(grades)), np.random.default_rng(0).choice(len(grades), routes, replace=False))
    judge = fit_judge(train.rows(chosen), **CLIMB.section("evaluate").grade_judge.model_dump(), seed=0)
    true = val.conditions[:, 2]
    constant = max(float((np.abs(true - grade) <= 1).mean()) for grade in range(len(definitions.GRADES)))
    within = float((np.abs(judge.grades(val) - true) <= 1).mean())
    return found | {"judge within one": within, "one answer within one": constant}


def main() -> None:
    real_files = [file for file in sorted(Path(sys.argv[1]).glob("*.json.gz")) if not file.name.startswith("peer")]
    drawn, real = sides([]), sides([file.resolve() for file in real_files])
    routes = len(drawn[0].ids)
    table = pd.DataFrame({"drawn": measured(*drawn, routes), "real": measured(*real, routes)}).round(3)
    report("climb/drawn", {"routes": {"drawn": routes, "real": len(real[0].ids)}, **table.to_dict()})


if __name__ == "__main__":
    main()
