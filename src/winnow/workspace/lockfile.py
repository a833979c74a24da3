"""dvc.lock as it lies here, and DVC as a program that tells its errors."""

import re
import sys
from pathlib import Path

import yaml
from dvc.repo import Repo
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.scm import SCMError

from winnow.pipeline.errors import WinnowError

LOCK = Path("dvc.lock")
MOST_BRACKETS = 1000
"""in dvc.lock, which has one a command at most"""
ERRORS_ONLY = """
import logging, sys
from dvc.cli import main
from dvc.logger import set_loggers_level
with set_loggers_level(logging.ERROR):
    sys.exit(main(sys.argv[1:]))
"""
DVC = (sys.executable, "-c", ERRORS_ONLY)
"""A `dvc` that logs its errors alone: its `--quiet` hides them too."""


def repository() -> Repo:
    """DVC's view of this checkout; raises WinnowError where Git does not know it, as in a ZIP of its files."""
    try:
        return Repo()
    except SCMError as error:
        raise WinnowError(
            f"DVC needs Git here: {error}", fix="git clone the repository; or `git init`, `git add -A`, `git commit`"
        ) from None


def stages_in(lock: bytes) -> set[str] | None:
    """The stages in the text of a dvc.lock; None when it is damaged."""
    if lock.count(b"[") > MOST_BRACKETS or lock.count(b"{") > MOST_BRACKETS:
        return None  # of which libyaml would crash
    try:
        return set(COMPILED_LOCKFILE_SCHEMA(yaml.load(lock, yaml.CSafeLoader))["stages"])
    except Exception:  # whatever is in it
        return None


def check_lock() -> None:
    """Raise WinnowError when there is a dvc.lock that DVC cannot read, since then it can do nothing at all."""
    check_merged()
    if LOCK.exists() and stages_in(LOCK.read_bytes()) is None:
        raise WinnowError(
            f"{LOCK} is empty or damaged: DVC does not write it atomically",
            fix=f"if DVC is running, try again; else `git checkout {LOCK}`, and what its cache holds is not run again",
        )


def check_merged() -> None:
    """Raise WinnowError when dvc.lock holds what Git could not merge."""
    if LOCK.exists() and re.search(rb"^<<<<<<< ", LOCK.read_bytes(), re.MULTILINE):
        raise WinnowError(
            f"{LOCK} holds the conflicts of a merge or rebase",
            fix=f"`git checkout --ours {LOCK}`, or --theirs; then dvc repro, which writes what is merged, and git add",
        )
