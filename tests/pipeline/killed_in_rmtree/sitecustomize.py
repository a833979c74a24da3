"""Kills the program in the middle of removing the first folder: once one file of it is gone."""

import os
import shutil
import signal
from pathlib import Path


def rmtree(path: "str | Path", **options: bool) -> None:
    if Path(path).exists() and ".winnow" in Path(path).parts:
        first = next(file for file in sorted(Path(path).rglob("*")) if file.is_file())
        first.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


shutil.rmtree = rmtree  # type: ignore[assignment]
