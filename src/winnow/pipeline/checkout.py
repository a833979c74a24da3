"""The checkout that a command works on: found from any folder inside it, as Git does."""

import os
from pathlib import Path
from typing import TypeVar

import winnow
from winnow.pipeline.errors import WinnowError

MARKS = ("dvc.yaml", "params.yaml", "src/winnow")
"""What the root of every checkout holds."""

P = TypeVar("P", Path, Path | None)


def checkout_root() -> Path | None:
    """The root of the checkout around the working folder, `Path()` for that folder itself; None where there is none."""
    return next(filter(is_checkout, (Path(), *Path.cwd().parents)), None)


def is_checkout(root: Path) -> bool:
    """Whether a folder is the root of a checkout."""
    return all((root / mark).exists() for mark in MARKS)


def enter_checkout(*paths: P) -> tuple[P, ...]:
    """Make the root of the checkout the working folder; gives the paths that a person typed, as seen from there.

    Raises WinnowError when there is no checkout around the working folder, or when `winnow` is another checkout's.
    """
    root, here = checkout_root(), Path.cwd()
    if root is None:
        raise WinnowError(
            "this command needs a checkout of winnow, and the working folder is in none",
            where=str(here),
            fix="change to a checkout, or name one: `winnow -C FOLDER …`",
        )
    if root != Path():
        os.chdir(root)
        paths = tuple(path and Path(os.path.relpath(here / path, root)) for path in paths)
    check_code_location()
    return paths


def check_code_location() -> None:
    """Raise WinnowError when `winnow` comes from another checkout than the working folder."""
    code, here = Path(winnow.__file__).resolve(), Path.cwd().resolve()
    if here / "src" not in code.parents:
        raise WinnowError(
            f"the library was loaded from {code.parent}, which is not part of the working folder",
            where=str(here),
            fix="change to the root of the repository; for another checkout than the installed one, set PYTHONPATH=src",
        )
