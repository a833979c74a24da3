"""Whether the `dvc` that started this program still runs: otherwise another run may be using the workspace."""

import os

import psutil

PARENT = "WINNOW_PARENT"
"""Set by dvc.yaml's commands to the process id of `dvc`: read by the program itself it could come too late."""
LAUNCHER = "WINNOW_LAUNCHER"
"""Set by `learn.devices.relaunch` to the process id of the launcher, the parent of a training's processes."""


def started_by_dvc() -> bool:
    """Whether a command of dvc.yaml started this program; a person may run it too."""
    return bool(os.environ.get(PARENT))


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for, a zombie, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def orphaned() -> bool:
    """Whether `dvc` has ended since it started this program; False for a program that `dvc` did not start."""
    if not started_by_dvc():
        return False
    parent = int(os.environ[PARENT])
    launcher = int(os.environ.get(LAUNCHER, os.getpid()))
    if launcher == os.getpid():
        return os.getppid() != parent
    try:
        return os.getppid() != launcher or psutil.Process(launcher).ppid() != parent
    except psutil.NoSuchProcess:
        return True
