"""Real clones with real DVC: this checkout's files, shrunken params, everything run once and copied per test."""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from winnow.pipeline import presets

ROOT = Path(__file__).resolve().parents[2]

SHRUNKEN: Mapping[str, Any] = {
    "domains": ["climb"],
    "climb.ingest.sources": [],
    "climb.ingest.synthetic.routes": 400,
    "climb.train.epochs": 12,
    "climb.train.batch_size": 16,
    "climb.train.eval_samples": 4,
    "climb.train.early_stopping.patience": 0,
    "climb.train.network.width": 16,
    "climb.train.network.layers": 1,
    "climb.evaluate.generation.per_grade": 3,
    "climb.evaluate.grade_judge.trees": 10,
    "climb.evaluate.bootstrap.resamples": 100,
    "climb.plot.dpi": 80,
    "climb.plot.routes_shown": 4,
}
"""The real params of one domain, smaller."""


@dataclass
class Clone:
    """A repository that tests may change and run."""

    root: Path

    def run(self, *command: str, expect: int | None = 0) -> "subprocess.CompletedProcess[str]":
        # the `winnow` on the path belongs to this checkout, and refuses another one unless it is told to use its code
        code = {"PYTHONPATH": "src"} if command[0] == "winnow" else {}
        environment = clean_environment() | code
        done = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False, timeout=1200
        )
        if expect is not None:
            assert done.returncode == expect, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """A command in a process group of its own, its output in `output.log`."""
        with (self.root / ".winnow-output.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self.root, env=clean_environment(), stdout=log, stderr=log, start_new_session=True
            )

    def output(self) -> str:
        return (self.root / ".winnow-output.log").read_text()

    def override(self, values: Mapping[str, Any]) -> None:
        presets.apply(dict(values), self.root / "params.yaml")

    def forget_training(self) -> None:
        """Remove, and commit, what would spare a training: its line in dvc.lock, DVC's results, earlier trainings."""
        lock = yaml.safe_load((self.root / "dvc.lock").read_text())
        del lock["stages"]["train@climb"]
        (self.root / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
        shutil.rmtree(self.root / ".winnow")
        shutil.rmtree(self.root / ".dvc/cache/runs")
        self.commit("forget the training")

    def commit(self, message: str) -> None:
        self.run("git", "add", "-A")
        self.run("git", "commit", "-q", "-m", message)

    def hashes(self, *folders: str) -> dict[str, str]:
        """Every file under the folders with the hash of its bytes."""
        files = sorted(file for folder in folders for file in (self.root / folder).rglob("*") if file.is_file())
        return {str(file.relative_to(self.root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def kill_all(self, *processes: "subprocess.Popen[bytes]") -> None:
        for process in processes:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


def clean_environment() -> dict[str, str]:
    """The environment of a person at a terminal: nothing of pytest's; the plain shell, which stays between programs."""
    left_out = ("PYTEST", "DVC_", "WINNOW_", "PYTHONPATH")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    return kept | {"SHELL": "/bin/sh"}


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 120, every: float = 0.05) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s in vain for {what}"
        time.sleep(every)


def wait_for_queue(clone: Clone, status: str) -> None:
    """Until DVC's queue tells an experiment's status; seldom asked, since each question is a start of DVC."""
    wait_until(lambda: status in clone.run("dvc", "queue", "status").stdout, f"{status} in the queue", every=2)


def new_clone(target: Path) -> Clone:
    """This checkout's files, committed or not, as a Git repository of their own with shrunken params.

    Without a reader's own data, which DVC tracks: the cache that holds them is not there.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and not (name.startswith("data/source/") and name.endswith(".dvc")):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    clone = Clone(target)
    clone.run("git", "init", "-q", "-b", "main")
    clone.run("git", "config", "user.name", "tester")
    clone.run("git", "config", "user.email", "tester@example.org")
    clone.override(SHRUNKEN)
    (target / "dvc.lock").unlink(missing_ok=True)
    clone.commit("shrunken params")
    return clone


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which everything ran once, shared by all test processes; copy it before changing it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    target = shared / "finished-clone"
    with FileLock(shared / "finished-clone.lock"):
        if not (target / "dvc.lock").exists():
            shutil.rmtree(target, ignore_errors=True)
            clone = new_clone(target)
            clone.run("dvc", "repro")
            clone.commit("results")
    return Clone(target)


@pytest.fixture
def clone(finished: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished clone, for one test."""
    target = tmp_path / "clone"
    shutil.copytree(finished.root, target, symlinks=True)
    return Clone(target)
