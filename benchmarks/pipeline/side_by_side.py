"""Everything run from nothing, domain after domain (`dvc repro`) and side by side (`winnow run`): the same dvc.lock?

python -m benchmarks.pipeline.side_by_side [DOMAIN ...] [--jobs N]
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import clone, report

WINNOW = (sys.executable, "-c", "from winnow.cli.app import main; main()", "run", "--jobs")
PROGRESS = re.compile(r"(^|│ )epoch \d")


def cold_copy(target: Path) -> Path:
    """A clone of the last commit that remembers no result."""
    (clone(target) / "dvc.lock").unlink()
    return target


def seconds(command: Sequence[str], folder: Path) -> tuple[float, int]:
    """Wall time, and lines of output besides those of epochs."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    lines = (done.stdout + done.stderr).splitlines()
    return taken, sum(bool(line.strip()) and not PROGRESS.search(line) for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="domains at a time (default: the cores)")
    parser.add_argument("domains", nargs="*", help="such as climb (default: all)")
    options = parser.parse_args()
    jobs, domains = options.jobs, options.domains
    with tempfile.TemporaryDirectory() as name:
        serial, parallel = cold_copy(Path(name, "serial")), cold_copy(Path(name, "parallel"))
        parallel_seconds, lines = seconds([*WINNOW, str(jobs), *domains], parallel)
        serial_seconds, _ = seconds(
            [sys.executable, "-m", "dvc", "repro", *(f"plot@{name}" for name in domains)], serial
        )
        # DVC writes stages in the order in which they ended
        locks = [sorted(re.split(r"\n  (?=\w)", (folder / "dvc.lock").read_text())) for folder in (serial, parallel)]
    figures = {
        "domains": domains or "all",
        "jobs": jobs,
        "cores": os.cpu_count(),
        "serial_seconds": round(serial_seconds, 1),
        "side_by_side_seconds": round(parallel_seconds, 1),
        "ratio": round(parallel_seconds / serial_seconds, 3),
        "lines_besides_epochs": lines,
        "dvc_lock_equal": [lock.strip() for lock in locks[0]] == [lock.strip() for lock in locks[1]],
    }
    report("pipeline/side_by_side", figures)


if __name__ == "__main__":
    main()
