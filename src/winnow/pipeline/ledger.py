"""Run facts (when, where, how long, how much memory) go to a Git-ignored ledger, never into a hashed output."""

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_facts: dict[str, Any] = {}


def state_folder() -> Path:
    """`.winnow/` of the main repository: DVC runs queued experiments in copies, and DVC_ROOT names the original."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".winnow"


def note(**facts: Any) -> None:
    """Add facts, such as the device used, to this run's entry."""
    _facts.update(facts)


def latest_seconds() -> dict[str, float]:
    """The seconds that each stage took when it last succeeded here, by `<stage>@<domain>`.

    All of `.winnow/ledger*.jsonl` is read: a CI job that reports what other jobs ran has their ledgers beside its own.
    """
    found = []
    for file in sorted(state_folder().glob("ledger*.jsonl")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(Exception):  # cut off by a kill, or damaged
                told = json.loads(line)
                if told["outcome"] == "done":
                    found.append((str(told["began"]), str(told["stage"]), float(told["seconds"])))
    return {stage: seconds for _, stage, seconds in sorted(found)}


@contextmanager
def entry(name: str) -> Iterator[None]:
    """Append one line about the block to `.winnow/ledger.jsonl`, also when it fails."""
    began, clock = time.time(), time.perf_counter()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        line = {
            "stage": name,
            "outcome": outcome,
            "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
            "seconds": round(time.perf_counter() - clock, 3),
            "peak_mib": round(peak / 1024, 1),
            "host": platform.node(),
            "python": platform.python_version(),
            **_facts,
        }
        try:
            folder = state_folder()
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "ledger.jsonl").open("a", encoding="utf-8") as ledger:
                ledger.write(json.dumps(line) + "\n")
        except OSError as error:  # must not hide how the stage itself ended
            print(f"warning: the run could not be recorded in the ledger: {error}", file=sys.stderr)
