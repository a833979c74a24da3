"""Are results of another kind of machine, such as an ARM processor, the committed ones within their intervals?

    winnow run && python -m benchmarks.pipeline.elsewhere

Their last digits differ where another processor adds numbers in another order. Exit code 1 when a domain's headline
metric lies outside the interval that Git's last commit has for it, or was not measured.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT
from winnow.pipeline.files import read_json


def outside(committed: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with each metric that has an interval in the committed evaluate.json; empty when all is well."""
    found = {}
    for name in [each.removesuffix("_low") for each in committed if each.endswith("_low")]:
        low, high, value = committed[f"{name}_low"], committed[f"{name}_high"], here.get(name)
        if value is None:
            found[name] = "not measured here"
        elif not low <= value <= high:
            found[name] = f"{value:.4g} here, and committed are {low:.4g} to {high:.4g}"
    return found


def main() -> None:
    files = sorted(Path("metrics").glob("*/evaluate.json"))
    failed = False
    for file in files:
        committed = subprocess.run(
            ["git", "show", f"HEAD:{file.as_posix()}"], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        wrong = outside(json.loads(committed), read_json(file))
        failed = failed or bool(wrong)
        told = "; ".join(f"{name}: {what}" for name, what in wrong.items()) or "within the committed interval"
        print(f"{file.parent.name:<10} {told}")
    if not files:
        sys.exit("error: no domain was evaluated here; `winnow run` first")
    sys.exit(int(failed))


if __name__ == "__main__":
    main()
