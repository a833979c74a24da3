"""`check`, and data stages on tiny input, beside the bare imports of each program.

python -m benchmarks.pipeline.stage_overhead
"""

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import clone, report, run, side_by_side

PROGRAMS = ("check", *(f"climb/{stage}" for stage in ("ingest", "filter", "label", "split", "weight")))
REPEATS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        copy = clone(Path(folder, "winnow"))
        params = copy / "params.yaml"
        params.write_text(tiny(params.read_text()))
        figures = {}
        for name in PROGRAMS:
            program = [sys.executable, "-m", f"stages.{name.replace('/', '.')}"]
            run(program, copy)
            imports = f"import sys; sys.path.insert(0, '.'); import {program[-1]}"
            seconds = side_by_side(
                {"program": (program, copy), "imports": ([sys.executable, "-c", imports], copy)},
                REPEATS,
            )
            ratio = seconds["program"] / seconds["imports"]
            figures[Path(name).stem] = {key: round(value, 3) for key, value in {**seconds, "ratio": ratio}.items()}
        report("pipeline/stage_overhead", figures)


def tiny(params: str) -> str:
    """The embedded data at 200 routes."""
    lines = params.splitlines()
    (line,) = (index for index, text in enumerate(lines) if text.strip().startswith("routes:"))
    lines[line] = lines[line].split(":")[0] + ": 200"
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
