"""The folders in which trainings keep their state, to resume after a kill: one per fingerprint, locked while in use."""

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from ruamel.yaml import YAML

from winnow.pipeline.ledger import state_folder
from winnow.pipeline.parent import is_alive
from winnow.pipeline.stage import Stage, is_main_process

FINISHED = "finished"
"""An empty file of this name marks a run folder whose training has ended."""
REMOVED = ".removed-"
"""Prefix of a folder that is being removed."""
UNFINISHED = 5
"""Unfinished trainings that are kept besides the current one: each may be resumed by setting its params again."""
LOCK_SECONDS = 7 * 24 * 3600
"""Age from which the lock file of a removed folder is removed too; much older than any process waiting for it."""


def fingerprint(stage: Stage[Any, Any]) -> str:
    """A hash of every dep that dvc.yaml lists for the stage (its code and kernels among them) and of its params.

    Trainings of one fingerprint have the same result. The params are those that the program runs with: params.yaml may
    have been edited since it read them.
    """
    pipeline = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))
    digest = hashlib.sha256()
    for dep in pipeline["stages"][stage.name]["deps"]:
        path = Path(dep.replace("${item.domain}", stage.domain))
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.as_posix()} {_file_hash(file)}\n".encode())
    sections = [stage.common.model_dump(mode="json"), stage.params.model_dump(mode="json")]
    values = [stage.seed, *sections]
    digest.update(json.dumps(values, sort_keys=True).encode())
    return digest.hexdigest()[:16]


@contextmanager
def run_folder(stage: Stage[Any, Any]) -> Iterator[Path]:
    """The folder of this stage's fingerprint, locked; waits while another process runs the same training.

    Of several processes the main one holds the lock, and the others wait until it does: torch's own waiting for each
    other ends after some minutes. The folder lies in the main repository's `.winnow/`, so that a queued experiment
    finds it too. When a training starts, the folders of finished trainings of the domain are removed, and of
    unfinished ones all but the latest `UNFINISHED`.
    """
    runs = state_folder() / stage.name / stage.domain
    folder = runs / fingerprint(stage)
    if not is_main_process():
        _wait_for_main(runs)
        yield folder
        return
    runs.mkdir(parents=True, exist_ok=True)
    with _held(_lock_path(folder)):
        _remove_old(runs, keep=folder)
        if (folder / FINISHED).exists():
            print(
                f"{stage.name}@{stage.domain} has finished already with the same data, code and parameters; its stored "
                f"result is used.\n  To train again (on another device, say), remove {folder}.",
                file=sys.stderr,
            )
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def mark_finished(folder: Path) -> None:
    """Record that the training in `folder` has ended and that its results were handed over."""
    (folder / FINISHED).touch()


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold the lock at `path`; the system releases it when the process ends."""
    lock = FileLock(path)
    holder = path.with_suffix(".pid")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        who = next(iter(_words(holder)), "unknown")
        print(f"process {who} is running the same training; waiting for it to end", file=sys.stderr, flush=True)
        lock.acquire()
    try:
        holder.write_text(f"{os.getpid()} {_launch()}", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _launch() -> str:
    """What the processes of one training share, and no other training on this machine has; empty for one process."""
    return os.environ.get("MASTER_PORT", "")


def _wait_for_main(runs: Path) -> None:
    """Wait until this launch's main process holds a run folder; those of other machines do not see it, and go on."""
    if os.environ.get("LOCAL_WORLD_SIZE") != os.environ.get("WORLD_SIZE"):
        return
    while not any(_is_held_by(_launch(), path) for path in runs.glob("*.pid")):
        time.sleep(0.05)


def _is_held_by(launch: str, holder: Path) -> bool:
    """Whether a process of this launch holds the lock now: a killed one leaves its file, and ports come again."""
    pid, *own = _words(holder) or [""]
    return own == launch.split() and pid.isdigit() and is_alive(int(pid))


def _words(holder: Path) -> list[str]:
    """The process that holds a lock, and its launch, if it has one; empty when there is none."""
    try:
        return holder.read_text(encoding="utf-8").split()
    except FileNotFoundError:
        return []


def _remove_old(runs: Path, *, keep: Path) -> None:
    """Remove other trainings' folders that are not in use: finished ones, and the oldest unfinished ones."""
    others = sorted(
        (path for path in runs.iterdir() if path.is_dir() and path != keep), key=lambda path: path.stat().st_mtime
    )
    unfinished = [path for path in others if not (path / FINISHED).exists() and not path.name.startswith(REMOVED)]
    for folder in others:
        if folder not in unfinished[-UNFINISHED:]:
            _remove(folder)
    for lock in runs.glob("*.lock"):  # of a folder that is gone
        if not lock.with_suffix("").exists() and lock != _lock_path(keep) and _age(lock) > LOCK_SECONDS:
            lock.unlink(missing_ok=True)


def _remove(folder: Path) -> None:
    """Remove a run folder unless it is held; renamed first, so that a kill midway leaves no half of a training."""
    removed = folder
    if not folder.name.startswith(REMOVED):
        removed = folder.with_name(f"{REMOVED}{folder.name}")
        lock = FileLock(_lock_path(folder))
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return
        try:
            shutil.rmtree(removed, ignore_errors=True)
            folder.rename(removed)
        finally:
            lock.release()
    shutil.rmtree(removed, ignore_errors=True)  # another process may be removing it too


def _lock_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def _age(path: Path) -> float:
    """Seconds since the file was last written."""
    return time.time() - path.stat().st_mtime


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
