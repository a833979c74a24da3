"""Faults that once passed all tests, planted again one at a time: what sees each now?

python benchmarks/faults.py [DOMAIN …] [--only WORDS] [--jobs 2]     (make faults)

`benchmarks/faults/<domain>.yaml` lists them: what is wrong, the file, the text that is replaced and by what. Results go
to `benchmarks/results/faults.json`; the exit code is 1 when a fault goes unseen.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import yaml
from measure import ROOT, kept, merge
from planting import Planting, plant_all

LISTS = ROOT / "benchmarks" / "faults"


def replaced(old: str, new: str, source: str) -> str:
    """The source with `new` in place of `old`, which must stand in it once."""
    if source.count(old) != 1:
        sys.exit(f"the text to replace is {source.count(old)} times in the file, not once:\n{old}")
    return source.replace(old, new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domains", nargs="*", default=sorted(file.stem for file in LISTS.glob("*.yaml")))
    parser.add_argument("--only", default="", help="faults whose description contains these words")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    unseen = 0
    for domain in options.domains:
        faults = yaml.safe_load((LISTS / f"{domain}.yaml").read_text(encoding="utf-8"))
        listed = {fault["fault"] for fault in faults}
        faults = [fault for fault in faults if options.only in fault["fault"]]
        for fault in faults:  # a list that is out of date is known at once
            replaced(fault["old"], fault["new"], Path(ROOT, fault["file"]).read_text(encoding="utf-8"))
        plantings = [Planting(fault["file"], partial(replaced, fault["old"], fault["new"])) for fault in faults]
        outcomes = {fault: seen_by for fault, seen_by in kept("faults").get(domain, {}).items() if fault in listed}
        for fault, seen_by in zip(faults, plant_all(plantings, options.jobs), strict=True):
            outcomes[fault["fault"]] = seen_by or "unseen"
            print(f"{domain}: {fault['fault']}: {seen_by or 'UNSEEN'}", flush=True)
            unseen += not seen_by
        merge("faults", {domain: outcomes})
    sys.exit(1 if unseen else 0)


if __name__ == "__main__":
    main()
