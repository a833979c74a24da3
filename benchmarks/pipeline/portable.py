"""The same bytes on any maker's CPU: every stage natively and under emulation of two others, and what that costs.

python -m benchmarks.pipeline.portable [DOMAIN …] [--only bytes|cost]

Needs `qemu-x86_64` (Debian: `apt-get install qemu-user`). Every domain runs its preset `tiny` three times, each time as
one process: natively, and emulated as an AMD (EPYC-Milan) and an Intel (Haswell). Then some epochs of the embedded
default are trained with and without the kernels that make the bytes agree.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.measure import ROOT, clone, merge
from stages import KERNELS

EMULATED = ("EPYC-Milan", "Haswell")
STAGES = ("ingest", "filter", "label", "split", "weight", "train", "evaluate", "plot")
TRAINED_EPOCHS = 2
REPEATS = 3
SINGLE_THREAD = "OPENBLAS_NUM_THREADS"
"""The setting that stays in both runs that are timed."""

DRIVER = """\
import runpy, sys
domain, *stages = sys.argv[1:]
for stage in stages:
    print(f"{domain} {stage}", file=sys.stderr, flush=True)
    sys.argv[1:] = []
    runpy.run_module(f"stages.{domain}.{stage}", run_name="__main__")
"""


def run_stages(folder: Path, domain: str, cpu: str | None) -> None:
    """All stages of a domain as one process, natively or on an emulated CPU."""
    emulator = ["qemu-x86_64", "-cpu", cpu] if cpu else []
    command = [*emulator, os.path.realpath(sys.executable), "-W", "ignore", "-c", DRIVER, domain, *STAGES]
    environment = {**os.environ, "PYTHONPATH": site_packages()}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{domain} on {cpu or 'this CPU'} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def site_packages() -> str:
    """The virtual environment's packages: an emulated interpreter is called by its real path, outside of it."""
    return next(path for path in sys.path if path.endswith("site-packages"))


def hashes(folder: Path, domain: str) -> dict[str, str]:
    """A digest of all that each stage wrote."""
    found = {}
    for stage in STAGES:
        digest = hashlib.sha256()
        places = [folder / "data" / domain / stage, *(folder / "metrics" / domain).glob(f"{stage}*")]
        for file in sorted(file for place in places for file in ([place] if place.is_file() else place.rglob("*"))):
            if file.is_file():
                digest.update(file.relative_to(folder).as_posix().encode() + file.read_bytes())
        found[stage] = digest.hexdigest()
    return found


def prepare(target: Path, changes: dict[str, object]) -> Path:
    """A clone of the last commit with changed params."""
    copy = clone(target)
    program = "import json, sys; from pathlib import Path; from winnow.pipeline import presets; "
    program += "presets.apply(json.loads(sys.argv[1]), Path('params.yaml'))"
    environment = {**os.environ, "PYTHONPATH": "src"}
    subprocess.run([sys.executable, "-c", program, json.dumps(changes)], cwd=copy, env=environment, check=True)
    return copy


def tiny(domain: str) -> dict[str, object]:
    """The values of the domain's preset `tiny`, by dotted key."""

    def flat(values: dict[str, object], prefix: str) -> dict[str, object]:
        changes: dict[str, object] = {}
        for key, value in values.items():
            inner = f"{prefix}.{key}"
            changes |= flat(value, inner) if isinstance(value, dict) else {inner: value}
        return changes

    return flat(yaml.safe_load((ROOT / "presets" / domain / "tiny.yaml").read_text()), domain)


def seconds_to_train(folder: Path, domain: str, *, portable: bool) -> float:
    """Wall time of the train program on the clone's data, without resuming anything."""
    shutil.rmtree(folder / ".winnow", ignore_errors=True)
    chosen = KERNELS if portable else {SINGLE_THREAD: KERNELS[SINGLE_THREAD]}
    environment = {name: value for name, value in os.environ.items() if name not in KERNELS}
    setup = folder / "stages" / "__init__.py"
    text = setup.read_text()
    setup.write_text(text.replace("os.environ.update(KERNELS)", f"os.environ.update({chosen})"))
    began = time.perf_counter()
    program = [sys.executable, "-m", f"stages.{domain}.train"]
    subprocess.run(program, cwd=folder, env=environment, capture_output=True, check=True)
    setup.write_text(text)
    return time.perf_counter() - began


def measure_cost(folder: Path, domain: str) -> dict[str, float]:
    """Training time with the settings over the time without, the fastest of some runs in turn."""
    for stage in STAGES[:5]:
        program = [sys.executable, "-m", f"stages.{domain}.{stage}"]
        subprocess.run(program, cwd=folder, capture_output=True, check=True)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(REPEATS):
        for portable, values in taken.items():
            values.append(seconds_to_train(folder, domain, portable=portable))
    fastest = {portable: min(values) for portable, values in taken.items()}
    return {
        "seconds_with": round(fastest[True], 2),
        "seconds_without": round(fastest[False], 2),
        "ratio": round(fastest[True] / fastest[False], 3),
    }


def compare_bytes(domain: str) -> dict[str, dict[str, bool]]:
    """Whether each stage writes the same bytes on each emulated CPU as natively."""
    with tempfile.TemporaryDirectory() as name:
        native = prepare(Path(name, "native"), tiny(domain))
        run_stages(native, domain, None)
        expected = hashes(native, domain)
        same = {}
        for cpu in EMULATED:
            emulated = prepare(Path(name, cpu), tiny(domain))
            run_stages(emulated, domain, cpu)
            found = hashes(emulated, domain)
            same[cpu] = {stage: found[stage] == expected[stage] for stage in STAGES}
    return same


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("domains", nargs="*", default=yaml.safe_load((ROOT / "params.yaml").read_text())["domains"])
    parser.add_argument("--only", choices=("bytes", "cost"), help="one of the two measurements (default: both)")
    options = parser.parse_args()
    if options.only != "cost" and not shutil.which("qemu-x86_64"):
        sys.exit("this benchmark needs qemu-x86_64 (Debian: apt-get install qemu-user)")
    for domain in options.domains:
        if options.only != "cost":
            merge("pipeline/portable_bytes", {domain: compare_bytes(domain)})
        if options.only != "bytes":
            with tempfile.TemporaryDirectory() as name:
                timed = prepare(Path(name, "timed"), {f"{domain}.train.epochs": TRAINED_EPOCHS})
                merge("pipeline/portable_cost", {domain: measure_cost(timed, domain)})


if __name__ == "__main__":
    main()
