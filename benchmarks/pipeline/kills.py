"""Killed at a random moment and run again: is `dvc.lock` that of a run which nobody disturbed?

python -m benchmarks.pipeline.kills [--kills 40] [--seed 0] [--jobs 1] [--resume] [DOMAIN ...]

Each kill takes the next domain, and by turns one process or two, and all programs or DVC alone: what it started goes
on as an orphan. The moment is drawn from the time that an undisturbed run takes. All with the domain's preset `tiny`.
`winnow run` runs again: it drops a file of locks that the kill has cut off, at which `dvc repro` alone stops.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measure import clone, kept, report
from winnow.domains.load import domain_names
from winnow.pipeline import presets

PATIENCE = 1800
"""seconds after which a run hangs"""


@dataclass(frozen=True)
class Undisturbed:
    """What a run gives that nobody disturbs."""

    stages: Mapping[str, Any]
    seconds: float


@dataclass
class Kill:
    domain: str
    devices: int
    alone: bool
    """DVC alone is killed, not what it has started"""
    share: float
    """of the time that an undisturbed run takes"""
    killed_in: str = ""
    equal: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true", help="after the kills that the results file has")
    parser.add_argument("domains", nargs="*", help="such as climb (default: all)")
    options = parser.parse_args()
    kinds = list(product((False, True), (1, 2), options.domains or domain_names()))
    rng = random.Random(options.seed)
    kills = [
        Kill(domain, devices, alone, round(rng.uniform(0.02, 0.98), 3))
        for alone, devices, domain in (kinds[number % len(kinds)] for number in range(options.kills))
    ]
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(options.jobs) as pool:
        done = [Kill(**each) for each in kept("pipeline/kills").get("all", [])] if options.resume else []
        left = kills[len(done) :]
        pairs = sorted({(kill.domain, kill.devices) for kill in left})
        undisturbed = dict(zip(pairs, pool.map(partial(run_undisturbed, Path(name)), pairs), strict=True))
        for kill in pool.map(partial(killed_and_run_again, Path(name), undisturbed), range(len(left)), left):
            done.append(kill)
            print(f"{len(done)}/{len(kills)} {kill}", file=sys.stderr, flush=True)
            report("pipeline/kills", {"seed": options.seed, **counts(done), "all": [asdict(each) for each in done]})
    sys.exit(int(not all(kill.equal for kill in done)))


def counts(kills: Sequence[Kill]) -> dict[str, Any]:
    """Kills and equal locks, of all and by domain and number of processes."""

    def of(some: Sequence[Kill]) -> dict[str, int]:
        return {"kills": len(some), "equal": sum(kill.equal for kill in some)}

    by_domain = {
        name: of([kill for kill in kills if kill.domain == name]) for name in sorted({k.domain for k in kills})
    }
    by_devices = {str(number): of([kill for kill in kills if kill.devices == number]) for number in (1, 2)}
    return {**of(kills), "domains": by_domain, "processes": by_devices}


def cold_copy(folder: Path, domain: str, devices: int) -> Path:
    """A clone of the last commit that remembers no result, with the domain's small preset."""
    copy = clone(folder)
    (copy / "dvc.lock").unlink()
    presets.apply(
        {**presets.overrides(domain, presets.read(domain, "tiny")), "runtime.devices": devices}, copy / "params.yaml"
    )
    return copy


def start(copy: Path, *command: str) -> "subprocess.Popen[bytes]":
    with (copy / ".output.log").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=copy,
            env={**os.environ, "PYTHONPATH": "src"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finish(copy: Path, domain: str) -> Mapping[str, Any]:
    """Run to the end; gives the domain's stages of dvc.lock."""
    code = start(copy, str(Path(sys.executable).with_name("winnow")), "run", domain).wait(PATIENCE)
    if code:
        sys.exit(f"winnow run {domain} ended with {code} in {copy}:\n{(copy / '.output.log').read_text()}")
    stages = yaml.safe_load((copy / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    return {name: entry for name, entry in stages.items() if name.endswith(f"@{domain}")}


def run_undisturbed(folder: Path, pair: tuple[str, int]) -> Undisturbed:
    copy = cold_copy(folder / f"undisturbed-{pair[0]}-{pair[1]}", *pair)
    began = time.monotonic()
    stages = finish(copy, pair[0])
    return Undisturbed(stages, time.monotonic() - began)


def killed_and_run_again(
    folder: Path, undisturbed: Mapping[tuple[str, int], Undisturbed], number: int, kill: Kill
) -> Kill:
    copy = cold_copy(folder / str(number), kill.domain, kill.devices)
    expected = undisturbed[kill.domain, kill.devices]
    running = start(copy, sys.executable, "-m", "dvc", "repro", f"plot@{kill.domain}")
    time.sleep(expected.seconds * kill.share)
    if kill.alone:
        running.kill()
    else:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    told = [line for line in (copy / ".output.log").read_text(errors="replace").splitlines() if "Running stage" in line]
    kill.killed_in = told[-1].split("'")[1] if told else "before the first stage"
    kill.equal = finish(copy, kill.domain) == expected.stages
    return kill


if __name__ == "__main__":
    main()
