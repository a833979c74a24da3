"""Where a training keeps what it needs to go on after a kill: one locked folder per fingerprint."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.ledger import state_folder
from winnow.pipeline.params import PARAMS_FILE
from winnow.pipeline.stage import Stage, is_main_process

PARENT = os.getppid()
FINISHED = "finished"
"""An empty file of this name marks a run folder whose training has ended."""


def fingerprint(domain: str, name: str) -> str:
    """A hash of every dep and param that dvc.yaml lists for the stage: the same inputs, the same fingerprint."""
    stage = yaml.load(Path("dvc.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["stages"][name]
    values = yaml.load(PARAMS_FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    digest = hashlib.sha256()
    for dep in stage["deps"]:
        path = Path(_resolved(dep, domain))
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.as_posix()} {_file_hash(file)}\n".encode())
    for key in stage["params"]:
        value = _value_at(values, _resolved(key, domain))
        digest.update(f"{key} {json.dumps(value, sort_keys=True)}\n".encode())
    return digest.hexdigest()[:16]


@contextmanager
def run_folder(stage: Stage[Any, Any]) -> Iterator[Path]:
    """The folder of this stage's fingerprint, held alone; waits while another process trains the same.

    It lives in the main repository's `.winnow/`, so that a queued experiment finds it too. Folders of
    trainings that ended are removed when the next one of the domain starts; unfinished ones wait.
    """
    runs = state_folder() / stage.name / stage.domain
    folder = runs / fingerprint(stage.domain, stage.name)
    if not is_main_process():
        yield folder
        return
    runs.mkdir(parents=True, exist_ok=True)
    with _held(runs / f"{folder.name}.lock"):
        _remove_finished(runs, but=folder)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def orphaned() -> bool:
    """Whether the `dvc` that started this program was killed: the workspace is then its successor's."""
    return "DVC_STAGE" in os.environ and os.getppid() != PARENT


def mark_finished(folder: Path) -> None:
    """Say that the training in `folder` has ended and its results were handed over."""
    (folder / FINISHED).touch()


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold the lock at `path`; the system frees it when its holder dies."""
    lock = FileLock(path)
    holder = path.with_suffix(".pid")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        who = holder.read_text(encoding="utf-8") if holder.exists() else "unknown"
        told = f"process {who} is at this very training; waiting for it to end, then going on from there"
        print(told, file=sys.stderr, flush=True)
        lock.acquire()
    try:
        holder.write_text(str(os.getpid()), encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _remove_finished(runs: Path, *, but: Path) -> None:
    for folder in runs.iterdir():
        if folder.is_dir() and folder != but and (folder / FINISHED).exists():
            lock = FileLock(runs / f"{folder.name}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            try:
                shutil.rmtree(folder)
            finally:
                lock.release()


def _resolved(text: str, domain: str) -> str:
    return text.replace("${item.domain}", domain)


def _value_at(values: Any, key: str) -> Any:
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            raise WinnowError(
                f"`{key}` is missing", where=str(PARAMS_FILE), fix="dvc.yaml names it as a param of this stage"
            )
        values = values[part]
    return values


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
