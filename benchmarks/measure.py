"""What benchmarks share: commands timed side by side in one run, their data, and their JSON."""

import importlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"


def run(command: Sequence[str], folder: Path) -> float:
    """Seconds of wall time of a command that must succeed."""
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": "src"}, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed in {folder}:\n{done.stdout}{done.stderr}")
    return seconds


def processor_seconds(command: Sequence[str], folder: Path) -> float:
    """Seconds of processor time of a command that must succeed, and of what it starts."""

    def used() -> float:
        times = os.times()
        return times.children_user + times.children_system

    before = used()
    run(command, folder)
    return used() - before


def side_by_side(commands: Mapping[str, tuple[Sequence[str], Path]], repeats: int) -> dict[str, float]:
    """Median seconds of each command, run in turn so that all see the same machine."""
    for command, folder in commands.values():
        run(command, folder)
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, (command, folder) in commands.items():
            taken[name].append(run(command, folder))
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def use_own_kernels() -> None:
    """Import the programs' package without its settings of kernels, which cost time to give equal bytes everywhere."""
    before = dict(os.environ)
    importlib.import_module("stages")
    os.environ.clear()
    os.environ.update(before)


def data_of(domain: str) -> Path:
    """The folder of a domain's prepared data; `benchmarks/<domain>/README.md` says how to make it."""
    return Path(os.environ.get("WINNOW_SHARED_DATA", ROOT.parent / "shared" / "data")) / domain


def results(name: str) -> Path:
    """`benchmarks/climb/results/drawn.json` for `climb/drawn`."""
    folder, _, file = name.partition("/")
    return BENCHMARKS / folder / "results" / f"{file}.json"


def report(name: str, figures: Mapping[str, object], rows: Mapping[str, object] | None = None) -> None:
    """Print the figures and keep them in the results file of that name, with the day and the commit.

    `rows` are the days and commits of rows that were measured one by one.
    """
    measured = _now() | ({"rows": rows} if rows else {})
    text = json.dumps({**figures, "measured": measured}, indent=2, sort_keys=True) + "\n"
    file = results(name)
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    print(text, end="")


def kept(name: str) -> dict[str, Any]:
    """The figures of earlier runs, by row; empty before the first one."""
    file = results(name)
    return json.loads(file.read_text()) if file.exists() else {}


def merge(name: str, figures: Mapping[str, object]) -> None:
    """Like `report`, but rows of earlier runs stay, with their commit, when nothing is found for them now."""
    earlier = kept(name)
    before = earlier.pop("measured", {})
    rows = before.pop("rows", {})
    found = {row: value for row, value in figures.items() if value not in ({}, [], None)}
    report(name, earlier | found, dict.fromkeys(earlier, before) | rows | dict.fromkeys(found, _now()))


def measured_when(found: Mapping[str, Any], row: str) -> str:
    """The day and the commit of a row of a results file."""
    measured = found["measured"].get("rows", {}).get(row, found["measured"])
    return f"{measured['date']}, {measured['commit']}"


def _now() -> dict[str, object]:
    head = ["git", "describe", "--always", "--abbrev=8", "--exclude=*", "--dirty=+"]
    commit = subprocess.run(head, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    return {"commit": commit, "date": datetime.now(UTC).date().isoformat()}


def clone(target: Path) -> Path:
    """A clone of this checkout's last commit."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(target)], check=True)
    return target
