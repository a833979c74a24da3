"""Everything run from nothing, domain after domain (`dvc repro`) and side by side (`winnow run`): the same dvc.lock?

python benchmarks/pipeline/side_by_side.py [--jobs N]
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULT = Path(__file__).parent / "results" / "side_by_side.json"
WINNOW = (sys.executable, "-c", "from winnow.cli import main; main()", "run", "--jobs")


def cold_copy(target: Path) -> Path:
    """A clone of the last commit that remembers no result."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(target)], check=True)
    (target / "dvc.lock").unlink()
    return target


def seconds(command: list[str], folder: Path) -> tuple[float, int]:
    """Wall time, and lines of output besides the epochs of trainings."""
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": "src"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    lines = (done.stdout + done.stderr).splitlines()
    return taken, sum(bool(line.strip()) and not re.search(r"(^|│ )epoch \d", line) for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="domains at a time (default: the cores)")
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as name:
        serial, parallel = cold_copy(Path(name, "serial")), cold_copy(Path(name, "parallel"))
        parallel_seconds, lines = seconds([*WINNOW, str(jobs)], parallel)
        serial_seconds, _ = seconds([sys.executable, "-m", "dvc", "repro"], serial)
        locks = [(folder / "dvc.lock").read_bytes() for folder in (serial, parallel)]
        # DVC writes the stages in the order in which they ended
        stages = [sorted(lock.split(b"\n  ")) for lock in locks]
        figures = {
            "jobs": jobs,
            "cores": os.cpu_count(),
            "serial_seconds": round(serial_seconds, 1),
            "side_by_side_seconds": round(parallel_seconds, 1),
            "ratio": round(parallel_seconds / serial_seconds, 3),
            "lines_besides_epochs": lines,
            "dvc_lock_equal": stages[0] == stages[1],
        }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
    print(RESULT.read_text(), end="")


if __name__ == "__main__":
    main()
