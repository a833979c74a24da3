"""Which planted faults do the tests not see? A sample of mutants, one at a time, and the fast tests that concern each.

python -m benchmarks.mutation.mutants [--mutants 200] [--seed 0] [--jobs 2]     (make mutants)
python -m benchmarks.mutation.mutants --again     those of the last report that no test has seen yet, on today's code

The mutations are those of cosmic-ray and of kinds.py: each is written into a file of a scratch copy, so that programs,
subprocesses and code digests see the same code, and the list of places can be sampled by seed. (mutmut rewrites every
function into a trampoline, and neither samples nor chooses tests.) Places are drawn, not mutations: a `+` has ten.

`.winnow/mutants.json` lists every mutant with the test that saw it, and is written after each. A mutant that no test
sees either changes nothing, or it shows which test is missing: write that test.
"""

import argparse
import difflib
import json
import random
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import MutationVisitor, mutate_code

from benchmarks.measure import ROOT
from benchmarks.mutation.kinds import OWN, operator_of
from benchmarks.mutation.planting import Planting, plant_all
from winnow.pipeline.files import write_json

REPORT = ROOT / ".winnow" / "mutants.json"
OPERATORS = [
    *("AddNot", "NumberReplacer", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ZeroIterationForLoop"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
    *("ReplaceUnaryOperator_Delete_Not", "ReplaceUnaryOperator_Delete_USub"),
    *("ReplaceUnaryOperator_Delete_Invert", "ReplaceBinaryOperator_BitAnd_BitOr"),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("FloorDiv_Mul", "Mod_FloorDiv")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("GtE_Gt", "Lt_GtE", "Gt_LtE", "Is_IsNot", "IsNot_Is")),
    *OWN,
]


@dataclass
class Mutant:
    module: str
    line: int
    operator: str
    occurrence: int
    before: str
    after: str
    tried: bool = False
    seen_by: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--under", default="", help="only modules whose path starts so, such as src/winnow/judge")
    parser.add_argument("--again", action="store_true", help="only the mutants of the report that were not seen")
    parser.add_argument("--quick", action="store_true", help="leave out the slowest tests: a seventh of the time")
    options = parser.parse_args()
    seed, mutants = options.seed, [] if options.again else sample(options.mutants, options.seed, options.under)
    if options.again:
        report = json.loads(REPORT.read_text())
        seed, mutants = report["seed"], [Mutant(**each) for each in report["all"]]
    waiting = [mutant for mutant in mutants if not mutant.seen_by]
    plantings = [Planting(mutant.module, partial(mutated, mutant)) for mutant in waiting]
    outcomes = plant_all(plantings, options.jobs, quick=options.quick)
    for number, (mutant, seen_by) in enumerate(zip(waiting, outcomes, strict=True), start=1):
        mutant.seen_by, mutant.tried = seen_by, True
        place = f"{mutant.module}:{mutant.line} {mutant.operator}"
        print(f"{number}/{len(waiting)} {place}: {seen_by or 'UNSEEN'}", flush=True)
        write(mutants, seed)
    summarize(mutants)


def sample(count: int, seed: int, under: str) -> list[Mutant]:
    """Mutants at `count` places drawn from all, one at each place, in the order in which they were drawn."""
    rng = random.Random(seed)
    files = [file for folder in ("src/winnow", "stages") for file in sorted((ROOT / folder).rglob("*.py"))]
    places = [
        (file, line, choices)
        for file in files
        if file.relative_to(ROOT).as_posix().startswith(under)
        for line, choices in sorted(places_of(file).items())
    ]
    drawn = [
        (file, line[0], rng.choice(choices)) for file, line, choices in rng.sample(places, min(count, len(places)))
    ]
    return [make(file, line, *choice) for file, line, choice in drawn]


def places_of(file: Path) -> dict[tuple[int, int], list[tuple[str, int]]]:
    """(line, column) → (operator, occurrence) of the mutations that are possible there."""
    found: dict[tuple[int, int], list[tuple[str, int]]] = {}
    tree = get_ast(file.read_text(encoding="utf-8"))
    for name in OPERATORS:
        collector = _Places(0, operator_of(name))
        collector.walk(tree)
        for occurrence, start in enumerate(collector.places):
            if start is not None:
                found.setdefault(start, []).append((name, occurrence))
    return found


class _Places(MutationVisitor):
    """Mutates nothing; notes where each mutation would be."""

    def __init__(self, occurrence: int, operator: object) -> None:
        super().__init__(occurrence, operator)
        self.places: list[tuple[int, int] | None] = []
        """As mutate_code counts them; None where nothing would change."""

    def visit(self, node: Any) -> Any:
        is_star = getattr(node.parent, "type", "") == "parameters"  # before keyword-only parameters: no product
        self.places += [None if is_star else start for start, _ in self.operator.mutation_positions(node)]
        return node


def make(file: Path, line: int, operator: str, occurrence: int) -> Mutant:
    source = file.read_text(encoding="utf-8")
    mutated = mutate_code(source, operator_of(operator), occurrence)
    assert mutated is not None
    changes = list(difflib.ndiff(source.splitlines(), mutated.splitlines()))
    before = " ".join(each[2:].strip() for each in changes if each.startswith("- "))
    after = " ".join(each[2:].strip() for each in changes if each.startswith("+ "))
    return Mutant(file.relative_to(ROOT).as_posix(), line, operator, occurrence, before, after)


def mutated(mutant: Mutant, source: str) -> str:
    """The module's source with the mutant in it."""
    found = mutate_code(source, operator_of(mutant.operator), mutant.occurrence)
    assert found is not None
    return str(found)


def write(mutants: list[Mutant], seed: int) -> None:
    """The report, as far as it is known."""
    seen = [mutant for mutant in mutants if mutant.seen_by]
    figures = {
        "mutants": len(mutants),
        "tried": sum(mutant.tried for mutant in mutants),
        "seen": len(seen),
        "kinds": {
            name: f"{sum(each.operator == name for each in seen)} of {sum(each.operator == name for each in mutants)}"
            for name in sorted({mutant.operator for mutant in mutants})
        },
        "seed": seed,
        "all": [asdict(mutant) for mutant in mutants],
    }
    REPORT.parent.mkdir(exist_ok=True)
    write_json(REPORT, figures)


def summarize(mutants: list[Mutant]) -> None:
    """What was not seen, and the counts, on the terminal."""
    for mutant in mutants:
        if mutant.tried and not mutant.seen_by:
            print(f"unseen: {mutant.module}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}")
    print({name: value for name, value in json.loads(REPORT.read_text()).items() if name != "all"})


if __name__ == "__main__":
    main()
