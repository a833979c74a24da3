"""Damage inputs at every door, evenly by domain, door and fault, for some minutes; ends in a table.

    python -m tests.faults.torture --minutes 20 --seed 0 --out benchmarks/pipeline/results/torture.json

Every case is one fork with 10 s of processor time; a message that names the file, or carrying on, are good ends.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.faults.damage import DAMAGES
from tests.faults.doors import SOURCES, Door, copied, ingest_doors, shared_doors, stage_doors, verb_doors
from tests.faults.forks import BAD, Outcome, attempt
from tests.stages.programs import STAGES, Programs
from winnow.pipeline import checkout

KINDS = ("message", "carried on", *BAD)
SHOWN = 200
"""Bad cases that are kept with their words."""


def prepare(base: Path, domains: Sequence[str]) -> list[tuple[Path, Door]]:
    """The folders of all doors, with every domain's stages run on its preset `tiny`; those that are there are used."""
    doors: list[tuple[Path, Door]] = []
    for domain in domains:
        trained, fresh = base / f"{domain}-trained", base / f"{domain}-fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        if not (trained / "finished").exists():
            shutil.rmtree(trained, ignore_errors=True)
            trained.mkdir()
            made = attempt(partial(_run_all, domain, trained), unlimited=True)
            if made.kind != "carried on":
                raise SystemExit(f"{domain} cannot be run: {made.said}")
            (trained / "finished").touch()
        doors += [(fresh, door) for door in ingest_doors(domain, fresh)]
        doors += [(trained, door) for door in (*stage_doors(domain, trained), *verb_doors(domain, trained))]
    shared = base / "shared"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir()
    return doors + [(shared, door) for door in shared_doors(shared, ROOT)]


def _run_all(domain: str, folder: Path) -> None:
    os.chdir(folder)
    programs = Programs.tiny(domain)
    for stage in STAGES:
        programs.run(stage)


def case(folder: Path, door: Door, file: str, content: bytes | None, good: Outcome | None = None) -> Outcome:
    """Go through a door with one file changed; None leaves it as it is."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        place = copied(folder, Path(scratch, "here"), {} if content is None else {file: content})
        found = attempt(partial(_go, place, door), Path(file).name if door.names_file else "")
    spoilt = found.kind == "carried on" and _is_wrong(door, found, good)
    return Outcome("wrong", f"{found.printed[:300]} {found.told[:300]}", seconds=found.seconds) if spoilt else found


def _go(place: Path, door: Door) -> None:
    os.chdir(place)
    door.go()


def _is_wrong(door: Door, found: Outcome, good: Outcome | None) -> bool:
    """Whether an answer holds what is no number, or is another one without a word."""
    if any(word in found.printed for word in ("NaN", "Infinity", " nan", " inf")):
        return True
    return door.is_verified and good is not None and found.printed != good.printed and "⚠" not in found.told


def cases(doors: list[tuple[Path, Door]], rng: random.Random) -> Iterator[tuple[Path, Door, str, str]]:
    """Each round takes every domain once; within it doors, and within these faults, take turns."""
    by_domain = {
        domain: itertools.cycle([each for each in doors if each[1].domain == domain])
        for domain in sorted({door.domain for _, door in doors})
    }
    faults: dict[str, Iterator[str]] = {}
    while True:
        for turn in by_domain.values():
            folder, door = next(turn)
            key = f"{door.domain} {door.name}"
            if key not in faults:
                names = sorted(DAMAGES)
                rng.shuffle(names)
                faults[key] = itertools.cycle(names)
            yield folder, door, rng.choice(door.files), next(faults[key])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path, help="where the trained domains are kept for the next run")
    parser.add_argument("--domain", help="one domain, or `shared`")
    options = parser.parse_args()
    checkout.check_code_location = lambda: None
    domains = [name for name in SOURCES if options.domain in {None, name}]
    with tempfile.TemporaryDirectory() as scratch:
        base = options.folder or Path(scratch)
        base.mkdir(parents=True, exist_ok=True)
        doors = [each for each in prepare(base, domains) if options.domain in {None, each[1].domain}]
        counts, bad, peak, slowest = damage_all(doors, random.Random(options.seed), 60 * options.minutes)
    table = summary(counts)
    print(table)
    print(f"highest memory over imports {peak:.0f} MiB, longest case {slowest:.1f} s of processor time")
    if options.out:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        result = {
            "commit": commit.stdout.strip(), "minutes": options.minutes, "seed": options.seed,
            "doors": len(doors), "faults": len(DAMAGES), "cases": sum(counts.values()),
            "peak_mib": round(peak), "longest_seconds": round(slowest, 1),
            "kinds": by_domain(counts),
            "bad": bad[:SHOWN],
        }  # fmt: skip
        options.out.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    raise SystemExit(1 if bad else 0)


def damage_all(
    doors: list[tuple[Path, Door]], rng: random.Random, seconds: float
) -> tuple[Counter[tuple[str, str, str, str]], list[dict[str, Any]], float, float]:
    """Cases by (domain, door, fault, kind), the bad ones, the highest memory in MiB and the longest time."""
    good: dict[int, Outcome] = {}
    for folder, door in doors:
        good[id(door)] = found = case(folder, door, door.files[0], None)
        if found.kind != "carried on":
            raise SystemExit(f"{door.domain} {door.name} is no door: {found}")
    print(f"{len(doors)} doors, {len(DAMAGES)} faults", file=sys.stderr, flush=True)
    counts: Counter[tuple[str, str, str, str]] = Counter()
    bad: list[dict[str, Any]] = []
    peak, slowest, end = 0.0, 0.0, time.monotonic() + seconds
    for folder, door, file, fault in cases(doors, rng):
        if time.monotonic() > end:
            break
        seed = rng.getrandbits(32)
        content = DAMAGES[fault]((folder / file).read_bytes(), random.Random(seed))
        found = case(folder, door, file, content, good[id(door)])
        counts[door.domain, door.name, fault, found.kind] += 1
        peak, slowest = max(peak, found.mib), max(slowest, found.seconds)
        if found.kind in BAD:
            told = {"domain": door.domain, "door": door.name, "file": file, "fault": fault, "seed": seed}
            last = "".join(found.said.strip().splitlines()[-1:])  # a traceback's other lines name this machine's paths
            bad.append({**told, "kind": found.kind, "mib": round(found.mib), "said": last})
            print(f"  {found.kind}: {' '.join(map(str, told.values()))} {last}", file=sys.stderr, flush=True)
    return counts, bad, peak, slowest


def by_domain(counts: Counter[tuple[str, str, str, str]]) -> dict[str, dict[str, int]]:
    """How many inputs were damaged, and what came of them, by domain and in all."""
    found = {}
    for name in (*sorted({domain for domain, *_ in counts}), "all"):
        own = Counter(dict.fromkeys(KINDS, 0))
        for (domain, _, _, kind), count in counts.items():
            own[kind] += count * (name in {domain, "all"})
        found[name] = {"injected": own.total(), **own}
    return found


def summary(counts: Counter[tuple[str, str, str, str]]) -> str:
    """`by_domain` as a Markdown table."""
    columns = ("injected", *KINDS)
    rows = [f"| domain | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for domain, own in by_domain(counts).items():
        rows.append(f"| {domain} | {' | '.join(f'{own[column]:,}' if own[column] else '–' for column in columns)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
