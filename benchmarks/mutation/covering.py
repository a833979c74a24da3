"""Which tests run a line of the library or the stages: recorded once for a commit, by coverage.py's contexts."""

import ast
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from coverage import CoverageData

from benchmarks.measure import ROOT

KEPT = ROOT / ".winnow" / "covered"
CONFIG = """\
[run]
data_file = {folder}/.coverage
include = */src/winnow/*, */stages/*
dynamic_context = test_function
patch = subprocess
disable_warnings = no-data-collected
[paths]
library = src/winnow
    */src/winnow
programs = stages
    */stages
"""


class Covering:
    """Tests by the lines they run, in a clone of the last commit."""

    def __init__(self, copy: Path, tests: Sequence[str]) -> None:
        folder = KEPT / _tree(copy)
        if not folder.exists():
            _record(copy, tests, folder)
        self._copy = copy
        self._data = CoverageData(str(folder / "coverage"))
        self._data.read()
        self._seconds = _seconds(folder / "times.xml")

    def tests_at(self, module: str, lines: Iterable[int]) -> tuple[list[str], bool]:
        """The test functions that run one of the lines, as pytest's arguments, and whether something else may do so.

        The quickest come first.

        Something else is an import, a fixture, another process, or a test that is not recorded.
        """
        measured = {Path(name).as_posix(): name for name in self._data.measured_files()}
        names = [name for path, name in measured.items() if path.endswith(f"/{module}") or path == module]
        contexts: set[str] = set()
        wanted = statement_lines((self._copy / module).read_text(encoding="utf-8"), set(lines))
        for name in names:
            for line, found in self._data.contexts_by_lineno(name).items():
                if line in wanted:
                    contexts |= set(found)
        found_in = {self._argument(context): self._seconds[context] for context in contexts if context}
        found_in.pop("", None)
        return sorted(found_in, key=lambda test: (found_in[test], test)), not contexts or "" in contexts

    def _argument(self, context: str) -> str:
        """`tests.library.test_cli.test_x` as `tests/library/test_cli.py::test_x`; empty when there is no such file."""
        parts = context.split(".")
        for length in range(len(parts) - 1, 0, -1):
            file = Path(*parts[:length]).with_suffix(".py")
            if (self._copy / file).is_file():
                return f"{file.as_posix()}::{parts[length]}"
        return ""


def statement_lines(source: str, lines: set[int]) -> set[int]:
    """The lines of the statements that hold the given lines; of a compound statement only its head."""
    found = set(lines)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            span = set(range(node.lineno, max(end, node.lineno) + 1))
            if span & lines:
                found |= span
    return found


def _seconds(file: Path) -> defaultdict[str, float]:
    """The time that each test function took, all its parameters together, by its name as a context."""
    found: defaultdict[str, float] = defaultdict(float)
    for case in ET.parse(file).iter("testcase"):
        found[f"{case.get('classname')}.{str(case.get('name')).partition('[')[0]}"] += float(case.get("time") or 0)
    return found


def _record(copy: Path, tests: Sequence[str], folder: Path) -> None:
    """Run the tests under coverage.py, and keep its data and how long each test took."""
    config = copy.parent / "coveragerc"
    config.write_text(CONFIG.format(folder=copy.parent))
    environment = {**os.environ, "PYTHONPATH": "src"}
    coverage = [sys.executable, "-m", "coverage"]
    # forks of a recorded process end at once
    tests = [*tests, "--deselect", "tests/library/learn/test_resume.py"]
    times = copy.parent / "times.xml"
    pytest = ["pytest", "-q", "--tb=no", "-n", "2", "--dist", "loadfile", f"--junitxml={times}", *tests]
    run = [*coverage, "run", f"--rcfile={config}", "-m", *pytest]
    subprocess.run(run, cwd=copy, env=environment, stdout=subprocess.DEVNULL, check=False)
    subprocess.run([*coverage, "combine", f"--rcfile={config}", "-q"], cwd=copy, env=environment, check=True)
    folder.mkdir(parents=True)
    shutil.move(times, folder / "times.xml")
    shutil.move(copy.parent / ".coverage", folder / "coverage")


def _tree(copy: Path) -> str:
    """Names what the recording depends on: the code and the tests."""
    parts = ("HEAD:src", "HEAD:stages", "HEAD:tests")
    done = subprocess.run(["git", "rev-parse", *parts], cwd=copy, capture_output=True, text=True, check=True)
    return "-".join(each[:12] for each in done.stdout.split())
