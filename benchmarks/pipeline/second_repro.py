"""A second `dvc repro`, which runs nothing, beside the same graph of empty scripts.

python -m benchmarks.pipeline.second_repro
"""

import subprocess
import tempfile
from pathlib import Path

from benchmarks.measure import clone, report, run, side_by_side

REPEATS = 5
EMPTY = """\
import pathlib, sys
domain, name = pathlib.Path(sys.argv[0]).with_suffix("").parts[-2:]
metrics = pathlib.Path("metrics", domain)
made = [pathlib.Path("data", domain, name, "model", "empty")]
if name == "check":
    programs = pathlib.Path("stages").glob("*/*.py")
    made = [pathlib.Path("data/params.ok")]
    made += [pathlib.Path("data/code", *path.with_suffix(".json").parts[1:]) for path in programs]
elif name == "train":
    made += [pathlib.Path("data", domain, name, "checkpoints", "empty")]
    made += [metrics / "train/metrics.json", metrics / "train/plots/metrics/x.tsv"]
elif name != "plot":
    made += [metrics / f"{name}.json"]
if name == "evaluate":
    made += [metrics / "judgement.json"]
for file in made:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("{}")
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        real, empty = clone(Path(folder, "real")), clone(Path(folder, "empty"))
        for program in [empty / "stages/check.py", *empty.glob("stages/*/[!_]*.py")]:
            program.write_text(EMPTY)
        for copy in (real, empty):
            run(["dvc", "repro", "plot@climb"], copy)
        seconds = side_by_side(
            {name: (["dvc", "repro", "plot@climb"], copy) for name, copy in (("real", real), ("empty", empty))}, REPEATS
        )
        again = subprocess.run(["dvc", "repro", "plot@climb"], cwd=real, capture_output=True, text=True, check=True)
        report(
            "pipeline/second_repro",
            {
                **{f"{name}_seconds": round(value, 3) for name, value in seconds.items()},
                "ratio": round(seconds["real"] / seconds["empty"], 3),
                "stages_run": again.stdout.count("Running stage"),
            },
        )


if __name__ == "__main__":
    main()
