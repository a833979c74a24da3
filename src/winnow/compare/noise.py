"""How much a domain's metrics vary over training seeds alone, on the same data, split and params."""

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Annotated, Any

from dvc.repo import Repo
from pydantic import BaseModel, Field, ValidationError

from winnow.compare.experiments import flat_params, read_experiments
from winnow.compare.revisions import Revision
from winnow.pipeline.cache import content_key
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import read_json, write_json
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.workspace.status import stale_stages

SEED = "train.seed"


class Noise(BaseModel):
    """What `metrics/<domain>/noise.json` says of a comparison's metrics."""

    seeds: int = Field(ge=2)
    """trainings that it was measured with"""
    standard_deviation: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    params: str = ""
    """`params_digest` of the trainings; empty where it was not noted"""
    commit: str = ""
    """where the trainings started from"""


def noise_path(domain: str) -> Path:
    """Where a domain's noise is kept, in Git."""
    return Path("metrics", domain, "noise.json")


def read_noise(domain: str, revision: Revision) -> Noise | None:
    """The noise that a revision has; None where there is none. Raises WinnowError when it cannot be used."""
    path = noise_path(domain).as_posix()
    content = revision.read(path)
    if content is None:
        return None
    try:
        return Noise.model_validate_json(content)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, each['loc']))} {each['msg']}".strip() for each in error.errors()]
        raise WinnowError(
            f"{path} cannot be used: {'; '.join(problems)}", where=revision.title, fix=f"winnow noise {domain}"
        ) from None


def params_digest(content: Mapping[str, Any], domain: str) -> str:
    """A digest of what the domain's results depend on in params.yaml but for the seed of training."""
    left_out = (SEED, "plot.", "evaluate.gate.")
    values = {name: value for name, value in flat_params(content, domain).items() if not name.startswith(left_out)}
    return content_key([json.dumps(values, sort_keys=True, default=str)])


def measure_noise(domain: str, seeds: int) -> Path:
    """Train with the params' own seed and the `seeds` - 1 next ones, as queued experiments; write `noise.json`.

    The working tree's results count as those of its own seed. Raises WinnowError when they are stale or missing, when
    DVC's queue is not empty (it is run as a whole), or when an experiment fails.
    """
    file = Path("metrics", domain, "evaluate.json")
    if not file.exists():
        raise WinnowError(f"{domain} has not been evaluated", fix=f"dvc repro evaluate@{domain}")
    stale = [name for name in stale_stages() if name.endswith(f"@{domain}") and not name.startswith("plot@")]
    if stale:
        raise WinnowError(f"the results of {', '.join(stale)} are stale", fix=f"dvc repro evaluate@{domain}")
    if waiting := queued_experiments():
        raise WinnowError(
            f"DVC's queue holds {waiting} experiment(s), which would be run too",
            fix="dvc queue start, and wait until `dvc queue status` shows none waiting; or dvc queue remove --queued",
        )
    params = Document(PARAMS_FILE).content
    own_seed = flat_params(params, domain)[SEED]
    run = secrets.token_hex(3)  # distinguishes these experiments from those of an earlier measurement
    names = {seed: f"noise-{domain}-{run}-{seed}" for seed in range(own_seed + 1, own_seed + seeds)}
    for seed, name in names.items():
        _dvc("exp", "run", "--queue", "--name", name, f"evaluate@{domain}", "-S", f"{domain}.{SEED}={seed}")
    _dvc("exp", "run", "--run-all")
    runs = {one.name: one.metrics for one in read_experiments(domain, 1)[0]}
    missing = [name for name in names.values() if name not in runs]
    if missing:
        raise WinnowError(f"no result of {', '.join(missing)}", fix="dvc queue logs, dvc exp show")
    own = read_json(file)
    measured = read_json(file.with_name("judgement.json"), "model")["model"]
    metrics = sorted(own.keys() & measured.keys())  # without the ends of intervals, and the baseline
    values = {metric: [own[metric], *(runs[name][metric] for name in names.values())] for metric in metrics}
    target = noise_path(domain)
    write_json(
        target,
        {
            "seeds": seeds,
            "params": params_digest(params, domain),
            "commit": Repo().scm.get_rev(),
            "mean": {metric: fmean(each) for metric, each in values.items()},
            "standard_deviation": {metric: stdev(each) for metric, each in values.items()},
        },
    )
    return target


def queued_experiments() -> int:
    """How many experiments wait in DVC's queue, or are being run from it."""
    queue = Repo().experiments.celery_queue
    return len([*queue.iter_queued(), *queue.iter_active()])


def _dvc(*arguments: str) -> None:
    """Run a DVC command, its output passed on."""
    command: Sequence[str] = [sys.executable, "-m", "dvc", *arguments]
    if subprocess.run(command, check=False).returncode:
        raise WinnowError(f"`dvc {' '.join(arguments)}` failed", fix="its messages are above")
