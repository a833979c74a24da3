"""Faults planted into scratch copies of the last commit, one at a time, and the first test that sees each."""

import difflib
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from queue import Queue

from benchmarks.measure import ROOT, clone
from benchmarks.mutation.covering import Covering
from benchmarks.mutation.forking import TIMED_OUT, Runner
from winnow.domains.load import domain_names
from winnow.pipeline.code import program_digests

EVERY_VALUE = "tests/stages/test_every_value_matters.py"
BYTES = "tests/stages/test_bytes.py"
SECONDS = 400
"""After which tests count as having seen a fault: it made them hang."""
DOMAINS = 2
"""Whose stages' tests are run for a module that more import: all of them would take half an hour."""


@dataclass(frozen=True)
class Planting:
    """A change of one module's source."""

    module: str
    """path from the repository's root"""
    change: Callable[[str], str]


def plant_all(plantings: Sequence[Planting], jobs: int, *, quick: bool = False) -> Iterator[str]:
    """For each planting, in order, the first test that fails with it; empty when none does.

    Tests that compare bytes are left out, so that what sees a fault says what is wrong, and those that train once for
    every param for the time they take. A test that fails without the fault too has seen nothing, and is left out from
    then on. With `quick`, of the tests that run a fault in a fixture or in another program only those of the module's
    room and of evaluate's numbers are tried: a fault that none of these sees may be seen by others.
    """
    with tempfile.TemporaryDirectory() as name:
        covered = ["tests/library", "tests/stages", "--deselect", EVERY_VALUE, "--deselect", BYTES]
        covering = Covering(clone(Path(name, "covered", "winnow")), covered)
        benches: Queue[Bench] = Queue()
        for number in range(jobs):
            benches.put(Bench(clone(Path(name, f"copy{number}", "winnow")), Runner(), covering, quick))
        try:
            with ThreadPoolExecutor(jobs) as pool:
                yield from pool.map(lambda each: _plant(each, benches), plantings)
        finally:
            while not benches.empty():
                benches.get().runner.close()


@dataclass(frozen=True)
class Bench:
    """A copy of the repository, and how tests are run there."""

    copy: Path
    runner: Runner
    covering: Covering
    quick: bool

    def failing(self, tests: Sequence[str]) -> str:
        """The first test that fails, or empty."""
        arguments = ["-x", "-q", "--no-header", "--tb=no", *tests]
        for name in (EVERY_VALUE, BYTES, *sorted(_failing)):
            arguments += ["--deselect", name]
        environment = {
            "PYTHONPATH": "src",
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.copy.parent),
        }
        code, output = self.runner.run(self.copy, arguments, environment, SECONDS)
        if code == TIMED_OUT:
            return f"time-out in {' '.join(tests)}"
        if code in (0, 5):  # passed, or nothing selected
            return ""
        failed = [line for line in output.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return failed[0].split(" ")[1] if failed else f"pytest ended with {code} in {' '.join(tests)}"

    def tests_for(self, module: str, lines: set[int]) -> Iterator[list[str]]:
        """Arguments of pytest for the tests that run the lines, those that do so themselves first."""
        domain = next((name for name in domain_names() if f"/{name}/" in module), None)
        tests, elsewhere = self.covering.tests_at(module, lines)
        if tests:
            others = [name for name in domain_names() if name != domain] if domain is not None else []
            yield [*tests, *(["-k", f"{domain} or not ({' or '.join(others)})"] if others else [])]
        if elsewhere:
            groups = list(tests_of(module, self.copy))
            yield from groups[:-1] if self.quick and len(groups) > 1 else groups


def _plant(planting: Planting, benches: "Queue[Bench]") -> str:
    """Change the file in a copy, run the tests that concern it until one fails, and restore the file."""
    original = (ROOT / planting.module).read_text(encoding="utf-8")
    changed = planting.change(original)
    bench = benches.get()
    file = bench.copy / planting.module
    try:
        tests = list(bench.tests_for(planting.module, changed_lines(original, changed)))
        file.write_text(changed, encoding="utf-8")
        for each in tests:
            while seen_by := bench.failing(each):
                file.write_text(original, encoding="utf-8")
                if not seen_by.startswith("tests/") or passes(bench, seen_by):
                    return seen_by
                file.write_text(changed, encoding="utf-8")
        return ""
    finally:
        file.write_text(original, encoding="utf-8")
        benches.put(bench)


def changed_lines(original: str, changed: str) -> set[int]:
    """The lines of `original`, from 1, that `changed` has in another form, or after which it has more."""
    matcher = difflib.SequenceMatcher(None, original.splitlines(), changed.splitlines(), autojunk=False)
    lines: set[int] = set()
    for kind, start, end, _, _ in matcher.get_opcodes():
        if kind != "equal":
            lines |= set(range(start + 1, end + 1)) or {max(start, 1)}
    return lines


_passing: set[str] = set()
_failing: set[str] = set()


def passes(bench: Bench, test: str) -> bool:
    """Whether the test passes in a copy without a fault; if not, it is left out from now on."""
    test = test if test.endswith("]") else test.partition("[")[0]  # a parameter's name with a space in it is cut off
    if test in _passing:
        return True
    if bench.failing([test]):
        print(f"{test} fails without a fault: left out", file=sys.stderr)
        _failing.add(test)
        return False
    _passing.add(test)
    return True


def tests_of(module: str, copy: Path) -> Iterator[list[str]]:
    """Arguments of pytest for the tests that concern a module, the quickest first."""
    parts = Path(module).with_suffix("").parts
    if parts[0] == "stages":
        checked = ["tests/library/pipeline"], ["tests/pipeline/test_bad_input.py"]  # by these is stages/check.py
        yield from _stages_of(parts[1], copy) if len(parts) > 2 else checked
    elif parts[2] == "domains" and len(parts) > 4:
        if parts[4] == "params":
            yield ["tests/library/test_cli.py", "-k", "schema"]
        if parts[4] == "tables":
            yield ["tests/library/domains/test_tables.py"]
        if importing := files_importing(".".join(parts[1:]), copy):
            yield importing
        if (copy / "tests/library/domains" / parts[3]).is_dir():
            yield [f"tests/library/domains/{parts[3]}"]
        yield from _stages_of(parts[3], copy)
    else:
        if parts[-1] in {"settings", "params", "section"}:
            yield ["tests/library/test_cli.py", "-k", "schema"]
        room = f"tests/library/{parts[2]}"
        yield [room if (copy / room).is_dir() else "tests/library"]
        own = f"tests/pipeline/test_{parts[-1]}.py"
        if (copy / own).is_file():
            yield [own]
        domains = domains_importing(".".join(parts[1:]))
        if domains:
            yield ["tests/stages", "-k", " or ".join(f"({domain} and numbers)" for domain in domains[:DOMAINS])]
            yield ["tests/stages", "-k", " or ".join(domains[:DOMAINS])]


def files_importing(module: str, copy: Path) -> list[str]:
    """The files of tests/library that import a module by name, in whichever room they are."""
    package, _, name = module.rpartition(".")
    found = re.compile(
        rf"^(?:from {re.escape(module)} import|from {re.escape(package)} import .*\b{name}\b)", re.MULTILINE
    )
    files = sorted((copy / "tests/library").rglob("test_*.py"))
    return [file.relative_to(copy).as_posix() for file in files if found.search(file.read_text(encoding="utf-8"))]


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
