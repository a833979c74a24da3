"""What `winnow doctor` checks of the machine: Python, the packages, the processor, the GPU, the disk."""

import importlib
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from winnow.pipeline.cpu import cpu_warning
from winnow.workspace.checks import Check, few

LOCK = Path("requirements.lock")
SPACE = 2 * 2**30
"""Bytes that a run of all domains should find free."""


def python() -> Check:
    """Whether Python is new enough."""
    found = platform.python_version()
    if sys.version_info < (3, 11):  # noqa: UP036 - this may be run by any
        return Check("python", "missing", found, "install Python 3.11 or newer; make PYTHON=python3.12 run")
    return Check("python", "ok", found)


def packages(root: Path | None) -> Iterator[Check]:
    """The packages of a checkout, beside those that are locked."""
    lock = (root or Path()) / LOCK
    if root is None or not lock.is_file():
        return
    pins = re.findall(r"^(\S+==[^\\\n]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    needed = [each for each in map(Requirement, pins) if each.marker is None or each.marker.evaluate()]
    missing, other = [], []
    for each in needed:
        try:
            here = version(each.name)
        except PackageNotFoundError:
            missing.append(each.name)
            continue
        if not each.specifier.contains(here, prereleases=True):
            other.append(f"{each.name} {here}, not {str(each.specifier).removeprefix('==')}")
    if missing:
        yield Check("packages", "missing", f"not installed: {few(missing)}", "make .venv/ready")
    if other:
        yield Check("packages", "note", f"other than locked: {few(other)}: results may differ", "make .venv/ready")
    if not missing and not other:
        yield Check("packages", "ok", f"{len(needed)} as locked")


def cpu() -> Check:
    """Whether the processor computes as those of the results did."""
    warning = cpu_warning()
    return Check("cpu", "note" if warning else "ok", warning.partition("\n")[0].partition("because ")[2] or "AVX2")


def gpu(device: str) -> Check:
    """The GPU; none is missing only where runtime.device, `device`, names one."""
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        return Check("torch", "missing", str(error), "make .venv/ready")
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        return Check("gpu", "ok", f"{', '.join(names)} (torch {torch.__version__})")
    if torch.backends.mps.is_available():
        return Check("gpu", "ok", f"mps (torch {torch.__version__})")
    if device in {"cuda", "mps"}:
        return Check("gpu", "missing", f"none, and runtime.device is {device}", "set runtime.device to auto or cpu")
    return Check("gpu", "note", f"none: computing on the CPU (torch {torch.__version__})")


def disk() -> Check:
    """Whether a run finds space."""
    free = shutil.disk_usage(".").free
    told = f"{free / 2**30:.1f} GiB free"
    if free < SPACE:
        return Check("disk", "missing", told, "free some space; `dvc gc --workspace` removes results no longer used")
    return Check("disk", "ok", told)
