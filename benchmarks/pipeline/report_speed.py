"""How long `winnow report` takes for all domains, with predictions of 10,000 test rows each in both revisions.

python -m benchmarks.pipeline.report_speed     after `dvc repro`: its predictions are repeated up to 10,000 rows
"""

import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import ROOT, clone, report, run
from winnow.domains.load import load
from winnow.judge.paired import Compared
from winnow.pipeline.params import Document

ROWS = 10_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = clone(Path(folder, "winnow"))
        cache = subprocess.run(["dvc", "cache", "dir"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        (copy / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n")
        run(["dvc", "checkout", "--quiet"], copy)
        (copy / ".dvc/config.local").write_text(f"[cache]\n    dir = {Path(folder, 'cache')}\n")
        domains = Document(copy / "params.yaml").content["domains"]
        for revision in range(2):
            for domain in domains:
                enlarge(domain, copy, revision)
            run(["dvc", "commit", "--force", "--quiet", *(f"evaluate@{domain}" for domain in domains)], copy)
            run(["git", "-c", "user.name=benchmark", "-c", "user.email=", "commit", "-qam", "more rows"], copy)
        seconds = run(["winnow", "report", "--base", "HEAD~1"], copy)
        report("pipeline/report_speed", {"seconds": round(seconds, 1), "domains": len(domains), "rows": ROWS})


def enlarge(domain: str, copy: Path, revision: int) -> None:
    """Repeat the domain's predictions under other keys, in another order for every revision."""
    predictions: Compared = load(domain, "metrics").COMPARED[0]
    key = predictions.key[0]
    path = copy / "data" / domain / predictions.path
    table = pd.read_parquet(path)
    keys = np.sort(predictions.rows(table)[key].unique())
    rows = table[table[key].isin(keys)]
    places = rows[key].map({key: place for place, key in enumerate(keys)})
    parts = []
    for again in range(-(-ROWS // len(keys))):
        number = places + again * len(keys)
        named = number if rows[key].dtype.kind in "iu" else number.map("k{:06d}".format)
        part = rows.assign(**{key: named})
        if predictions.groups is not None:
            part[predictions.groups] = rows[predictions.groups].astype("str") + f"-{again}"
        parts.append(part[number < ROWS])
    pd.concat(parts).sample(frac=1, random_state=revision).to_parquet(path)


if __name__ == "__main__":
    main()
