"""The whole pipeline, one domain beside another: `check`, then one `dvc repro` a domain, and a table of the results.

DVC runs one stage at a time, but releases its lock while a stage runs. So several DVCs work in one workspace as long as
each has stages of its own: without `-s` all of them would run `check`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock
from typing import Any, TextIO

from winnow.judge.baselines import strongest
from winnow.pipeline.console import headline
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path, read_json
from winnow.pipeline.params import STAGES
from winnow.pipeline.parent import is_alive
from winnow.workspace.lockfile import DVC, LOCK, check_lock, stages_in

REPRO = (*DVC, "--wait-for-lock", "repro")
BEFORE = Path(".winnow/dvc.lock.before")
"""BEFORE, empty while there is no LOCK, exists while domains run, and afterwards if they were killed."""
RWLOCK = Path(".dvc/tmp/rwlock")
RANKS = {"REVIEW": 1, "FAIL": 2}
"""The verdicts that are not a domain's best."""


def run_domains(domains: Sequence[str], jobs: int, show_results: Callable[[], None], out: TextIO) -> None:
    """Run all stages of the domains, `jobs` domains at a time; each line of their output begins with its domain.

    A domain that fails does not stop the others, nor that the results are shown. Ctrl+C stops all. Raises WinnowError
    at the end naming what failed.
    """
    repair_locks()
    check_lock()
    _keep(LOCK.read_bytes() if LOCK.exists() else b"")
    checked = subprocess.run(
        [*REPRO, "check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment(), text=True, check=False
    )
    if checked.returncode:
        print(checked.stdout, end="", file=sys.stderr)
        raise WinnowError("params.yaml or the code is not valid; no stage was run", fix="see the message above")
    runs = _Runs(max(map(len, domains)), out)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            codes = dict(zip(domains, pool.map(runs.run, domains), strict=True))
        except KeyboardInterrupt:  # the terminal has sent it to every DVC too
            runs.stopping.set()
            raise
    BEFORE.unlink(missing_ok=True)
    show_results()
    if failed := [domain for domain, code in codes.items() if code]:
        raise WinnowError(
            f"{len(failed)} of {len(domains)} domains failed: {', '.join(failed)}",
            fix=f"see the error above, mend it, and run `winnow run {' '.join(failed)}`; finished stages are kept",
        )


def _environment() -> dict[str, str]:
    """The variables of a DVC for which `python` in dvc.yaml is the Python that runs here, activated or not."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}


def repair_locks() -> None:
    """Undo what a kill leaves behind: files that DVC, which does not write atomically, was writing, and its locks.

    DVC drops the locks of processes that are gone, but not those of zombies, which some containers never reap.
    """
    held = RWLOCK.read_text(encoding="utf-8") if RWLOCK.exists() else "{}"
    if not (_is_json(held) and any(is_alive(int(pid)) for pid in re.findall(r'"pid": (\d+)', held))):
        RWLOCK.unlink(missing_ok=True)
    if BEFORE.exists() and LOCK.exists():
        now, before = stages_in(LOCK.read_bytes()), stages_in(BEFORE.read_bytes()) or set()
        if (now is None or not before <= now) and not _is_committed(LOCK):
            print(f"{LOCK} was cut off when an earlier run was killed; it is as it was before that", file=sys.stderr)
            BEFORE.replace(LOCK) if before else LOCK.unlink()


def _is_committed(path: Path) -> bool:
    """Whether Git's HEAD holds the same bytes, such as after a checkout of another branch."""
    done = subprocess.run(["git", "show", f"HEAD:./{path}"], capture_output=True, check=False)
    return done.returncode == 0 and done.stdout == path.read_bytes()


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _keep(lock: bytes) -> None:
    with atomic_path(BEFORE) as scratch:
        scratch.write_bytes(lock)


class _Runs:
    """The domains' DVCs, and their output."""

    def __init__(self, width: int, out: TextIO) -> None:
        self.width, self.out = width, out
        self.stopping = Event()
        self.printing = Lock()
        self.kept: set[str] = set()
        self.written = 0

    def run(self, domain: str) -> int:
        """Run a domain's stages; gives DVC's exit code."""
        if self.stopping.is_set():
            return 1
        command = [*REPRO, "--single-item", *(f"{stage}@{domain}" for stage in STAGES)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment(), text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() and "`dvc push`" not in line:
                with self.printing:
                    self.keep_lock()  # before the line is seen: what it tells has been kept
                    print(f"{domain:<{self.width}} │ {line.rstrip()}", flush=True, file=self.out)
        return process.wait()

    def keep_lock(self) -> None:
        """Copy dvc.lock, if a stage has ended since the last copy and no DVC is writing it."""
        if LOCK.exists() and (written := LOCK.stat().st_mtime_ns) != self.written:
            content = LOCK.read_bytes()
            stages = stages_in(content)
            if stages is not None and stages >= self.kept:
                _keep(content)
                self.kept, self.written = stages, written


def result_rows(
    domains: Sequence[str], params: Mapping[str, Any], invalid: Collection[str] = ()
) -> Sequence[Sequence[str]]:
    """A header, then of each domain: verdict, headline with its interval, strongest baseline, if it is expected.

    Of the `invalid` ones, whose params say nothing, the last column tells that.
    """
    rows = [("domain", "verdict", "headline metric", "strongest baseline", "expected of the embedded data")]
    return rows + [(name, *_result(name, None if name in invalid else params[name])) for name in domains]


def results_table(domains: Sequence[str], params: Mapping[str, Any]) -> str:
    """`result_rows` as text."""
    rows = result_rows(domains, params)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(
        ["", *lines, "", "reasons: winnow status --reasons    pictures and all else on one page: winnow board"]
    )


def _result(domain: str, params: Mapping[str, Any] | None) -> tuple[str, str, str, str]:
    folder = Path("metrics", domain)
    if not (folder / "evaluate.json").exists():
        return "not evaluated", "", "", ""
    verdict, value, baseline = headline(read_json(folder / "evaluate.json"))
    measured = read_json(folder / "judgement.json", "baseline")["baseline"]
    name = strongest(measured, value.split()[0])
    return verdict, value, f"{name} {baseline}", _expectation(verdict, params)


def _expectation(verdict: str, params: Mapping[str, Any] | None) -> str:
    """Whether the verdict is the one that the gate expects of the embedded data, and why it is not the best."""
    if params is None:
        return "params.yaml is invalid"
    if params["ingest"]["sources"]:
        return "(own data)"
    expected = params["evaluate"]["gate"]["expected"]
    apart = RANKS.get(verdict, 0) - (RANKS.get(expected["verdict"], 0) if expected else 0)
    if apart:
        usual = expected["verdict"] if expected else "the best one"
        return f"no: {usual} is, this is {'worse' if apart > 0 else 'better'}"
    return f"yes: {expected['reason']}" if expected else "yes"
