"""
Memory of retina's stages on many photographs: the peak of each program above what it has imported.

    python -m benchmarks.retina.memory    # prints JSON, also in benchmarks/retina/results/

1,000 and 10,000 drawn photographs through ingest, filter, label, split, weight and one epoch of train, as params.yaml
has them otherwise. Each program runs in a process of its own, as DVC would run it. `mib` is its highest resident memory
(mapped pages of the image store included) minus what was resident when everything was imported.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import copytree, ignore_patterns

from benchmarks.measure import ROOT, merge
from winnow.pipeline import presets

STAGES = ("ingest", "filter", "label", "split", "weight", "train")

CHILD = """
import importlib, json, sys
from pathlib import Path
from winnow.pipeline.stage import load_stage
from winnow.domains.retina.params import Common, Params

def resident(kind):
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) / 1024

name = sys.argv[1]
program = importlib.import_module(f"stages.retina.{name}")
stage = load_stage("retina", name, Common, Params.model_fields[name].annotation)
imported = resident("VmRSS")
program.main(stage)
stage.finish()
Path("memory.json").write_text(json.dumps({"imported": imported, "peak": resident("VmHWM")}))
"""


def workspace(target: Path) -> Path:
    """A folder with the programs and params of this checkout."""
    for name in ("src", "stages"):
        copytree(ROOT / name, target / name, ignore=ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml"):
        (target / name).write_text((ROOT / name).read_text())
    (target / "data" / "source" / "retina").mkdir(parents=True)
    (target / "data" / "params.ok").touch()
    code = target / "data" / "code" / "retina"
    code.mkdir(parents=True)
    for name in STAGES:
        (code / f"{name}.json").write_text("{}")
    return target


def measure(photographs: int) -> dict[str, object]:
    """MiB of each program over its imports, and of the store."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = workspace(Path(scratch) / "workspace")
        values = {"retina.ingest.synthetic.photographs": photographs, "retina.train.epochs": 1}
        presets.apply(values, folder / "params.yaml")
        mib = {}
        for name in STAGES:
            environment = {"PYTHONPATH": "src:.", "PATH": str(Path(sys.executable).parent)}
            subprocess.run([sys.executable, "-c", CHILD, name], cwd=folder, env=environment, check=True)
            found = json.loads((folder / "memory.json").read_text())
            mib[name] = round(found["peak"] - found["imported"])
        store = (folder / "data" / "retina" / "ingest" / "images.arrow").stat().st_size
    return {"mib": mib, "highest_mib": max(mib.values()), "store_mib": round(store / 2**20)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, nargs="+", default=[1_000, 10_000])
    options = parser.parse_args()
    for count in options.photographs:
        merge("retina/memory", {str(count): measure(count)})


if __name__ == "__main__":
    main()
