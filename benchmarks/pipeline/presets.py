"""How long a preset takes and how much memory: all eight stages in a clone that has run nothing.

python -m benchmarks.pipeline.presets climb sessions/simple sessions/lastfm      (a domain alone: the embedded default)

A preset that names a source takes it from the domain's prepared data (`python -m benchmarks.retina.prepare`); others
run on generated data. `minutes` is the sum over the programs, `gib` the highest resident memory of any of them, as the
ledger has them; results are in `benchmarks/pipeline/results/presets.json`.
"""

import json
import sys
import tempfile
from pathlib import Path
from shutil import copyfile, copytree

from benchmarks.measure import clone, data_of, merge, run
from winnow.pipeline.params import Document


def measured(domain: str, preset: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        copy = clone(Path(name, "winnow"))
        if preset:
            run(["winnow", "preset", domain, preset, "--apply"], copy)
            for source in Document(copy / "params.yaml").content[domain]["ingest"]["sources"]:
                for path in filter(None, (source["path"], source.get("images"))):
                    prepared = data_of(domain) / Path(path).name
                    (copytree if prepared.is_dir() else copyfile)(prepared, copy / path)
        run(["dvc", "repro", f"plot@{domain}"], copy)
        lines = (copy / ".winnow/ledger.jsonl").read_text(encoding="utf-8").splitlines()
    done = [json.loads(line) for line in lines if f"@{domain}" in line]
    seconds = {line["stage"].partition("@")[0]: line["seconds"] for line in done}
    return {
        "minutes": round(sum(seconds.values()) / 60, 1),
        "train_minutes": round(seconds["train"] / 60, 1),
        "gib": round(max(line["peak_mib"] for line in done) / 1024, 1),
    }


def main() -> None:
    for name in sys.argv[1:]:
        merge("pipeline/presets", {name.replace("/", " "): measured(*name.partition("/")[::2])})


if __name__ == "__main__":
    main()
