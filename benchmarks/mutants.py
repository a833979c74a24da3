"""Which planted faults do the tests not see? A sample of mutants, one at a time, and the fast tests that concern each.

python benchmarks/mutants.py [--mutants 200] [--seed 0] [--jobs 2]     (make mutants)

The mutations are those of cosmic-ray: each is written into a file of a scratch copy, so that programs, subprocesses and
code digests see the same code, and the list of places can be sampled by seed. (mutmut rewrites every function into a
trampoline, and neither samples nor chooses tests.) Places are drawn, not mutations: a `+` has ten of these.

`benchmarks/results/mutants.json` lists every mutant with the test that saw it. A mutant that changes nothing, or that
is not worth a test, has its reason in `benchmarks/mutants_unseen.yaml`, by its module and its line before and after.
"""

import argparse
import difflib
import json
import random
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import yaml
from cosmic_ray.ast import get_ast
from cosmic_ray.mutating import MutationVisitor, mutate_code
from cosmic_ray.plugins import get_operator
from measure import RESULTS, ROOT
from planting import Planting, plant_all

OPERATORS = [
    *("core/AddNot", "core/NumberReplacer", "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd"),
    *("core/ReplaceTrueWithFalse", "core/ReplaceFalseWithTrue", "core/ZeroIterationForLoop"),
    *("core/ReplaceBreakWithContinue", "core/ReplaceContinueWithBreak"),
    *("core/ReplaceUnaryOperator_Delete_Not", "core/ReplaceUnaryOperator_Delete_USub"),
    *("core/ReplaceUnaryOperator_Delete_Invert", "core/ReplaceBinaryOperator_BitAnd_BitOr"),
    *(f"core/ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Pow_Mul")),
    *(f"core/ReplaceBinaryOperator_{pair}" for pair in ("FloorDiv_Mul", "Mod_FloorDiv")),
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE")),
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in ("GtE_Gt", "Lt_GtE", "Gt_LtE", "Is_IsNot", "IsNot_Is")),
]


@dataclass
class Mutant:
    module: str
    line: int
    operator: str
    occurrence: int
    before: str
    after: str
    seen_by: str = ""
    reason: str = ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--under", default="", help="only modules whose path starts so, such as src/winnow/judge")
    options = parser.parse_args()
    mutants = sample(options.mutants, options.seed, options.under)
    plantings = [Planting(mutant.module, partial(mutated, mutant)) for mutant in mutants]
    for number, (mutant, seen_by) in enumerate(zip(mutants, plant_all(plantings, options.jobs), strict=True), start=1):
        mutant.seen_by = seen_by
        mutant.reason = "" if seen_by else known_reason(mutant)
        outcome = seen_by or f"UNSEEN {mutant.reason}"
        print(f"{number}/{len(mutants)} {mutant.module}:{mutant.line} {mutant.operator}: {outcome}", flush=True)
    write(mutants, options.seed)


def sample(count: int, seed: int, under: str) -> list[Mutant]:
    """Mutants at `count` places drawn from all, one at each place."""
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
    return sorted(
        (make(file, line, *choice) for file, line, choice in drawn), key=lambda mutant: (mutant.module, mutant.line)
    )


def places_of(file: Path) -> dict[tuple[int, int], list[tuple[str, int]]]:
    """(line, column) → (operator, occurrence) of the mutations that are possible there."""
    found: dict[tuple[int, int], list[tuple[str, int]]] = {}
    tree = get_ast(file.read_text(encoding="utf-8"))
    for name in OPERATORS:
        collector = _Places(0, get_operator(name)())
        collector.walk(tree)
        for occurrence, (start, _) in enumerate(collector.places):
            found.setdefault(start, []).append((name, occurrence))
    return found


class _Places(MutationVisitor):
    """Mutates nothing; notes where each mutation would be."""

    def __init__(self, occurrence: int, operator: object) -> None:
        super().__init__(occurrence, operator)
        self.places: list[tuple[tuple[int, int], tuple[int, int]]] = []

    def visit(self, node: object) -> object:
        self.places += list(self.operator.mutation_positions(node))
        return node


def make(file: Path, line: int, operator: str, occurrence: int) -> Mutant:
    source = file.read_text(encoding="utf-8")
    mutated = mutate_code(source, get_operator(operator)(), occurrence)
    assert mutated is not None
    changes = list(difflib.ndiff(source.splitlines(), mutated.splitlines()))
    before = " ".join(each[2:].strip() for each in changes if each.startswith("- "))
    after = " ".join(each[2:].strip() for each in changes if each.startswith("+ "))
    return Mutant(file.relative_to(ROOT).as_posix(), line, operator.removeprefix("core/"), occurrence, before, after)


def mutated(mutant: Mutant, source: str) -> str:
    """The module's source with the mutant in it."""
    found = mutate_code(source, get_operator(f"core/{mutant.operator}")(), mutant.occurrence)
    assert found is not None
    return str(found)


def known_reason(mutant: Mutant) -> str:
    file = ROOT / "benchmarks" / "mutants_unseen.yaml"
    entries = (yaml.safe_load(file.read_text()) if file.exists() else None) or []
    for entry in entries:
        if (entry["module"], entry["before"], entry["after"]) == (mutant.module, mutant.before, mutant.after):
            return str(entry["reason"])
    return ""


def write(mutants: list[Mutant], seed: int) -> None:
    """The report, and its sum on the terminal; a mutant with a reason that begins with `equivalent` changes nothing."""
    equivalent = [mutant for mutant in mutants if mutant.reason.startswith("equivalent")]
    seen = [mutant for mutant in mutants if mutant.seen_by]
    counted = len(mutants) - len(equivalent)
    total = {"mutants": len(mutants), "seen": len(seen), "equivalent": len(equivalent), "seed": seed}
    total["seen_share"] = round(len(seen) / max(1, counted), 4)
    RESULTS.mkdir(exist_ok=True)
    figures = {**total, "all": [asdict(mutant) for mutant in mutants]}
    (RESULTS / "mutants.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")
    for mutant in mutants:
        if not mutant.seen_by:
            print(f"unseen: {mutant.module}:{mutant.line}\n  - {mutant.before}\n  + {mutant.after}\n  {mutant.reason}")
    print(json.dumps(total))


if __name__ == "__main__":
    main()
