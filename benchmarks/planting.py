"""Faults planted into scratch copies of the last commit, one at a time, and the first test that sees each."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Queue

from measure import ROOT, clone

from winnow.pipeline.code import program_digests

SECONDS = 400
"""After which tests count as having seen a fault: it made them hang."""


@dataclass(frozen=True)
class Planting:
    """A change of one module's source."""

    module: str
    """path from the repository's root"""
    change: Callable[[str], str]


def plant_all(plantings: Sequence[Planting], jobs: int, *, fast: bool = False) -> Iterator[str]:
    """For each planting, in order, the first test that fails with it; empty when none does.

    `fast` leaves out the tests that train once for every param. Raises RuntimeError when the test fails without the
    fault too: it has seen nothing.
    """
    with tempfile.TemporaryDirectory() as name:
        copies: Queue[Path] = Queue()
        for number in range(jobs):
            copies.put(clone(Path(name, f"copy{number}", "winnow")))
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(lambda each: _plant(each, copies, fast), plantings)


def _plant(planting: Planting, copies: "Queue[Path]", fast: bool) -> str:
    """Change the file in a copy, run the tests that concern it until one fails, and restore the file."""
    copy = copies.get()
    file = copy / planting.module
    original = file.read_text(encoding="utf-8")
    try:
        file.write_text(planting.change(original), encoding="utf-8")
        slow = ["--deselect", "tests/stages/test_every_value_matters.py"] if fast else []
        chosen = ([*tests, *slow] for tests in tests_of(planting.module, copy))
        seen_by = next(filter(None, (failing(copy, tests) for tests in chosen)), "")
        file.write_text(original, encoding="utf-8")
        if seen_by.startswith("tests/"):
            check_passes(copy, seen_by.partition("[")[0])
        return seen_by
    finally:
        file.write_text(original, encoding="utf-8")
        copies.put(copy)


@cache
def check_passes(copy: Path, test: str) -> None:
    """Raises RuntimeError when the test fails in a copy without a fault."""
    if failing(copy, [test]):
        raise RuntimeError(f"{test} fails without a fault")


def tests_of(module: str, copy: Path) -> Iterator[list[str]]:
    """Arguments of pytest for the tests that concern a module, the quickest first."""
    parts = Path(module).with_suffix("").parts
    if parts[0] == "stages":
        checked = ["tests/library/pipeline"], ["tests/pipeline/test_bad_input.py"]  # by these is stages/check.py
        yield from _stages_of(parts[1], copy) if len(parts) > 2 else checked
    elif parts[2] == "domains" and len(parts) > 4:
        if parts[4] == "params":
            yield ["tests/library/test_cli.py", "-k", "schema"]
        if (copy / "tests/library/domains" / parts[3]).is_dir():
            yield [f"tests/library/domains/{parts[3]}"]
        yield from _stages_of(parts[3], copy)
    else:
        if parts[-1] in {"settings", "params", "section"}:
            yield ["tests/library/test_cli.py", "-k", "schema"]
        room = f"tests/library/{parts[2]}"
        yield [room if (copy / room).is_dir() else "tests/library"]
        domains = domains_importing(".".join(parts[1:]))
        if domains:
            yield ["tests/stages", "-k", " or ".join(f"({domain} and numbers)" for domain in domains)]
            yield ["tests/stages", "-k", " or ".join(domains)]


@cache
def domains_importing(module: str) -> list[str]:
    """The domains with a program whose import closure holds the module."""
    with chdir(ROOT):
        return sorted({file.parent.name for file, digests in program_digests().items() if module in digests})


def _stages_of(domain: str, copy: Path) -> Iterator[list[str]]:
    """Arguments for the tests of a domain's stages; those of what evaluate writes are quick and see most."""
    numbers = f"tests/stages/test_{domain}_numbers.py"
    if (copy / numbers).is_file():
        yield [numbers]
    yield ["tests/stages", "-k", domain]


def failing(copy: Path, tests: list[str]) -> str:
    """The first test that fails, or empty."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no", "-p", "no:randomly", *tests]
    environment = {
        "PYTHONPATH": "src",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(copy.parent),
    }
    try:
        done = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"time-out in {' '.join(tests)}"
    if done.returncode in (0, 5):  # passed, or nothing selected
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].split(" ")[1] if failed else f"pytest ended with {done.returncode} in {' '.join(tests)}"
