"""The Python and the packages that made dvc.lock, beside it in Git: the bytes of results are promised for them alone.

No stage has the file as an output: dvc.lock is the same whoever makes it, as long as the results are.
"""

import platform
import re
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import read_json, write_json
from winnow.pipeline.parent import started_by_dvc

FILE = Path("metrics/environment.json")


def current() -> dict[str, str]:
    """The versions of Python and, where winnow is installed, of the packages that it names as dependencies."""
    found = {"python": platform.python_version()}
    with suppress(PackageNotFoundError):
        needed = [line for line in requires("winnow") or [] if "extra ==" not in line]
        found |= {name: version(name) for name in (re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed)}
    return found


def made_with() -> dict[str, str]:
    """The versions that `record` wrote last; empty when there are none."""
    try:
        return read_json(FILE)
    except (OSError, WinnowError):
        return {}


def record() -> None:
    """Write the versions when DVC has started this program, and so will put its results into dvc.lock."""
    now = current()
    if started_by_dvc() and now != made_with():
        write_json(FILE, now)


def differences() -> list[str]:
    """What is other here than where dvc.lock was made, such as `numpy 2.4.0 instead of 2.3.1`."""
    now = current()
    made = made_with().items()
    return [f"{name} {now.get(name, '(none)')} instead of {old}" for name, old in made if now.get(name) != old]
