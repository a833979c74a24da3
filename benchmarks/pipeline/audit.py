"""Compare the locked packages with PyPI's advisories: `make audit`, a step of CI.

    python -m benchmarks.pipeline.audit

Exit code 1 for a package with a known vulnerability. Without the advisory service a line says that nothing was audited.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

PROGRAM = ["uvx", "--quiet", "pip-audit@2.10.0"]
COMMAND = [
    *PROGRAM,
    "-r",
    "requirements.lock",
    "--require-hashes",
    "--disable-pip",
    "--progress-spinner=off",
    "-f=json",
]


def verdict(packages: Sequence[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """The exit code and what is printed, of pip-audit's list of packages; one it could not audit has a skip_reason."""
    audited = [each for each in packages if "skip_reason" not in each]
    found = [
        f"{each['name']} {each.get('version', '')}: {one['id']}, fixed in {', '.join(one['fix_versions']) or 'none'}"
        for each in audited
        for one in each.get("vulns", [])
    ]
    left = len(packages) - len(audited)
    if not audited:
        return 0, ["audit skipped: the advisory service cannot be reached, and nothing was audited"]
    told = f"{len(audited)} packages audited, {len(found)} vulnerabilities"
    return int(bool(found)), [*found, told + (f"; {left} could not be audited" if left else "")]


def main() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, LookupError):
        packages = []
        print(done.stderr[-2000:], file=sys.stderr)
    code, lines = verdict(packages)
    print("\n".join(lines))
    sys.exit(code)


if __name__ == "__main__":
    main()
