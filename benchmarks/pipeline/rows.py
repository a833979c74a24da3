"""
Time and memory of the data stages on 10^4 to 10^7 drawn rows: what `ingest` would have written, and then each program.

    python -m benchmarks.pipeline.rows [--domains sessions …] [--rows 10000 100000 1000000 10000000]

In a clone of the last commit. Rows are plays, entries of playlists, articles of 50 words, routes, photographs (without
images: the table of their measures) and copies of pages. Seconds of wall and processor time of a whole program, and the
most resident memory of it and its children together. `label@articles` takes the scores of the source: asking an oracle
costs what it costs. `judging` is what evaluate does with the rows whatever the model: a metric and its intervals, see
judged_rows.py. Results go to benchmarks/pipeline/results/rows.json.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.measure import clone, kept, merge
from benchmarks.pipeline.drawn_rows import DOMAINS
from winnow.pipeline import presets

JUDGING = "judging"
STAGES = dict.fromkeys(DOMAINS, ("filter", "label", "split", "weight")) | {"documents": ("split", "weight")}
ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
VALUES = {"articles.label.use_scores": True}
EVERY = 0.05
"""Seconds between two looks at the memory of a program and its children."""


def measured(command: list[str], folder: Path) -> dict[str, float]:
    """Seconds, seconds of processor time, and peak MiB of a program that must succeed."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as told:
        process = psutil.Popen(command, cwd=folder, stdout=told, stderr=told, env={**os.environ, "PYTHONPATH": "src"})
        peak = 0
        while (done := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            peak = max(peak, memory(process))
            time.sleep(EVERY)
        seconds = time.perf_counter() - began
        if done[1]:
            told.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{told.read().decode()}")
    used = done[2]
    peak = max(peak, used.ru_maxrss * 1024)
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_mib": round(peak / 2**20),
    }


def memory(process: psutil.Process) -> int:
    """Resident bytes of a process and its children."""
    found = 0
    try:
        for each in (process, *process.children(recursive=True)):
            found += each.memory_info().rss
    except psutil.Error:
        pass  # it has just ended
    return found


def stages(copy: Path, domain: str, rows: int) -> dict[str, dict[str, float]]:
    """What each stage takes with so many rows."""
    if domain == JUDGING:
        return {JUDGING: measured([sys.executable, "-m", "benchmarks.pipeline.judged_rows", str(rows)], copy)}
    shutil.rmtree(copy / "data" / domain, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "benchmarks.pipeline.drawn_rows", domain, str(rows)], cwd=copy, check=True)
    found: dict[str, dict[str, float]] = {}
    for stage in STAGES[domain]:
        found[stage] = measured([sys.executable, "-m", f"stages.{domain}.{stage}"], copy)
        print(f"{rows:>10,} {stage}@{domain}: {found[stage]}", flush=True)
    shutil.rmtree(copy / "data" / domain)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--domains", nargs="+", default=[*DOMAINS, JUDGING], choices=[*DOMAINS, JUDGING])
    parser.add_argument("--rows", type=int, nargs="+", default=list(ROWS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        copy = clone(Path(scratch, "winnow"))
        presets.apply(dict(VALUES), copy / "params.yaml")
        for domain in options.domains:
            known: dict[str, Any] = kept("pipeline/rows").get(domain, {})
            for rows in options.rows:
                for stage, found in stages(copy, domain, rows).items():
                    known.setdefault(stage, {})[str(rows)] = found
                merge("pipeline/rows", {domain: known})


if __name__ == "__main__":
    main()
