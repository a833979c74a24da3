"""Processor time of commands that only tell something, from their start to their end.

python -m benchmarks.pipeline.cli_start
"""

import resource
import statistics
import sys
from collections.abc import Sequence

from benchmarks.measure import ROOT, report, run

COMMANDS = ("--help", "--version", "preset climb list", "preset climb tiny", "climb --help", "status")
REPEATS = 7


def main() -> None:
    report("pipeline/cli_start", {f"winnow {each}": round(median_seconds(each.split()), 3) for each in COMMANDS})


def median_seconds(arguments: Sequence[str]) -> float:
    """Of the user's and the system's seconds of a command in this checkout; its first start is not counted."""
    command = [sys.executable, "-c", "from winnow.cli.app import main; main()", *arguments]
    seconds = []
    for _ in range(REPEATS + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(command, ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
