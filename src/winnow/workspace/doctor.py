"""`winnow doctor`: what winnow needs, what of it is here, and the command that mends the rest.

It names no host, user, folder or address, so that its JSON can be put into an issue.
"""

import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from winnow.pipeline.checkout import checkout_root
from winnow.workspace import checkout_checks, machine_checks
from winnow.workspace.checks import Check


def examine() -> list[Check]:
    """All that can be looked at in the working folder, which need not be a checkout."""
    root = checkout_root()
    before = Path.cwd()
    checks = [machine_checks.python(), *machine_checks.packages(root), machine_checks.cpu()]
    try:
        os.chdir(root or before)
        params = checkout_checks.read_params() if root else {}
        checks.append(machine_checks.gpu(checkout_checks.device_of(params)))
        checks.append(machine_checks.disk())
        if root is None:
            checks.append(Check("checkout", "note", "none here: models can be used with --model", ""))
        else:
            checks += [
                checkout_checks.code(),
                checkout_checks.git(),
                checkout_checks.dvc(),
                *checkout_checks.remotes(),
                *checkout_checks.domains(),
            ]
    finally:
        os.chdir(before)
    return checks


def as_report(checks: list[Check]) -> dict[str, Any]:
    """What an issue should hold."""
    return {
        "winnow": version("winnow"),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "ok": healthy(checks),
        "checks": [asdict(check) for check in checks],
    }


def healthy(checks: list[Check]) -> bool:
    """Whether nothing that is needed is missing."""
    return all(check.state != "missing" for check in checks)
