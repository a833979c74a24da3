"""How much a domain's metrics vary over training seeds alone, on the same data, split and params."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from winnow.experiments import flat_params, read_experiments
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import write_json
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.status import stale_stages

SEED = "train.seed"


def measure_noise(domain: str, seeds: int) -> Path:
    """Train with the params' own seed and the `seeds` - 1 next ones, as queued experiments; write `noise.json`.

    The working tree's results count as those of its own seed. Raises WinnowError when they are stale or missing, or an
    experiment fails.
    """
    file = Path("metrics", domain, "evaluate.json")
    if not file.exists():
        raise WinnowError(f"{domain} has not been evaluated", fix=f"dvc repro evaluate@{domain}")
    stale = [name for name in stale_stages() if name.endswith(f"@{domain}") and not name.startswith("plot@")]
    if stale:
        raise WinnowError(f"the results of {', '.join(stale)} are stale", fix=f"dvc repro evaluate@{domain}")
    document = Document(PARAMS_FILE)
    params = flat_params(document.content, domain)
    others = [params[SEED] + step for step in range(1, seeds)]
    named = ",".join(map(str, others))
    _dvc("exp", "run", "--queue", f"evaluate@{domain}", "-S", f"{domain}.{SEED}={named}")
    _dvc("exp", "run", "--run-all")
    found, _ = read_experiments(domain, 1)
    runs = {one.params[SEED]: one.metrics for one in found if {**one.params, SEED: params[SEED]} == params}
    missing = [seed for seed in others if seed not in runs]
    if missing:
        raise WinnowError(
            f"no result of the training seed(s) {', '.join(map(str, missing))}", fix="dvc queue logs, dvc exp show"
        )
    own = json.loads(file.read_text(encoding="utf-8"))
    measured = json.loads(file.with_name("judgement.json").read_text(encoding="utf-8"))["model"]
    names = sorted(own.keys() & measured.keys())  # without the ends of intervals, and the baseline
    values = {name: [own[name], *(runs[seed][name] for seed in others)] for name in names}
    target = Path("metrics", domain, "noise.json")
    write_json(
        target,
        {
            "seeds": seeds,
            "mean": {name: fmean(each) for name, each in values.items()},
            "standard_deviation": {name: stdev(each) for name, each in values.items()},
        },
    )
    return target


def _dvc(*arguments: str) -> None:
    """Run a DVC command, its output passed on."""
    command: Sequence[str] = [sys.executable, "-m", "dvc", *arguments]
    if subprocess.run(command, check=False).returncode:
        raise WinnowError(f"`dvc {' '.join(arguments)}` failed", fix="its messages are above")
