"""Every value in params.yaml does something: changed alone, the bytes that its stage writes change."""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.stages.domain_examples import EXAMPLES, unmoved
from tests.stages.programs import DATA_STAGES, STAGES, Programs
from tests.stages.variations import params_of, varied
from winnow.domains.load import load

MATTERS_WHEN: Mapping[str, Mapping[str, Any]] = {
    "split.fold": {"folds": 4},
    "train.keep_last": {"epochs": 2, "checkpoint_every": 1, "keep_last": 1},
    "train.scheduler.period": {"scheduler": {"name": "cosine_warm_restarts", "period": 1}, "epochs": 2},
    "train.scheduler.minimum": {"scheduler": {"name": "cosine", "warmup": 0.0}},
    "train.early_stopping.patience": {"early_stopping": {"patience": 1, "min_delta": 100.0}, "epochs": 3},
    "train.early_stopping.min_delta": {"early_stopping": {"patience": 2}, "epochs": 4},
    "train.max_grad_norm": {"max_grad_norm": 0.01},
    **unmoved(),
}
"""Other values of the same section under which a param does something, the same for every domain."""

VALUES: Mapping[str, Any] = {
    "split.folds": 4,
    "train.checkpoint_every": 1,
    "train.eval_every": 1,
    "train.early_stopping.min_delta": 100.0,
    "train.scheduler.minimum": 0.0007,
    "train.scheduler.name": "cosine_warm_restarts",
    "train.scheduler.warmup": 0.5,
    "train.precision": "bf16",
}
"""Values to change to that are not the first ones tried, the same for every domain."""

CHANGES_NO_BYTE: Mapping[str, str] = {
    "ingest.sources": "files of the user's; each format has its tests",
    "ingest.max_rejected_share": "stops the stage, or does not",
    "train.gradient_accumulation_steps": "cuts a batch into pieces whose gradients add up to the same, up to rounding",
    "train.threads": "cuts sums into parts; the tensors of tiny data are too small to be cut",
    "train.checkpoint_steps": "states to resume from are not among the results",
    "train.init_from": "names a model in data/source; tests/library/learn/test_checkpoints.py starts from one",
    "evaluate.gate.expected": "explains a verdict of the embedded data; tests/library/judge/test_gates.py",
    "evaluate.threads": "cuts sums into parts; the tensors of tiny data are too small to be cut",
}
"""Params that are not expected to change a byte of the results here, the same for every domain, and why."""


OF_THE_LOOP = re.compile(
    r"train\.(scheduler\..*|early_stopping\.(patience|min_delta)|keep_last|checkpoint_every|eval_every|ema_decay"
    r"|max_grad_norm|weight_decay)"
)
"""Params that `learn` alone reads, from the whole section that each domain's train hands to it."""
QUICKEST = ("playlists", "sessions")
"""Domains whose trainings show that params of the loop matter: a tenth of the time that those of the others take."""

REPEATS_PARAMS: Mapping[str, frozenset[str]] = {
    "checkpoint.json": frozenset({"params", "fingerprint", "digest"}),
    "training_metadata.json": frozenset({"configuration"}),
}
"""Keys of files in which a training repeats its params: these change with any of them, used or not."""


def content(file: Path) -> bytes:
    """What a stage wrote to a file, without the params that it repeats there."""
    if file.name not in REPEATS_PARAMS:
        return file.read_bytes()
    values = json.loads(file.read_text())
    assert REPEATS_PARAMS[file.name] <= values.keys()
    return repr({key: value for key, value in values.items() if key not in REPEATS_PARAMS[file.name]}).encode()


def written(programs: Programs, stage: str) -> str:
    """A digest of all that a stage wrote, without the params that it repeats."""
    digest = hashlib.sha256()
    metrics = Path("metrics", programs.domain)
    places = [Path("data", programs.domain, stage), *sorted(metrics.glob(f"{stage}*"))]
    if stage == "evaluate":
        places.append(metrics / "judgement.json")
    for place in places:
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            if file.is_file():
                digest.update(f"{file} ".encode() + content(file))
    return digest.hexdigest()


def run(programs: Programs, stage: str, values: Mapping[str, Any]) -> str:
    """Run the stage anew with these values of its section; gives the digest of what it wrote.

    Features of images that an earlier run kept are used again: a value that is missing in their key changes nothing.
    """
    state = Path(".winnow") if stage in DATA_STAGES else Path(".winnow", "train")
    for old in (Path("data", programs.domain, stage), state, Path("metrics", programs.domain, stage)):
        shutil.rmtree(old, ignore_errors=True)
    programs.run(stage, **values)
    return written(programs, stage)


@pytest.mark.parametrize("stage", STAGES)
def test_every_value_of_a_stage_changes_what_it_writes(domain: Programs, stage: str) -> None:
    example, model = EXAMPLES[domain.domain], load(domain.domain, "params").Params.model_fields[stage].annotation
    contexts, given = {**MATTERS_WHEN, **example.matters_when}, {**VALUES, **example.values}
    if stage == "train" and example.smaller:
        for earlier in DATA_STAGES:
            domain.run(earlier, **(example.smaller if earlier == "ingest" else {}))
    base: dict[str, str] = {}
    unchanged = []
    for path in params_of(model, stage):
        if path in {**CHANGES_NO_BYTE, **example.changes_no_byte}:
            continue
        if OF_THE_LOOP.fullmatch(path) and domain.domain not in QUICKEST:
            continue
        context = contexts.get(path, example.smaller if stage == "ingest" else {})
        if repr(context) not in base:
            base[repr(context)] = run(domain, stage, context)
        changed = varied(model, domain.section(stage, **context).model_dump(), path, given)
        if run(domain, stage, changed) == base[repr(context)]:
            unchanged.append(path)
    assert not unchanged, f"these values change nothing: {', '.join(unchanged)}"


def test_every_common_value_changes_what_some_stage_writes(domain: Programs) -> None:
    example, model = EXAMPLES[domain.domain], load(domain.domain, "params").Params.model_fields["common"].annotation
    before = {stage: written(domain, stage) for stage in STAGES}
    values = domain.section("common").model_dump()
    for path in params_of(model, "common"):
        if path not in example.changes_no_byte:
            changed = varied(model, values, path, example.values)
            assert any(run(domain, stage, {"common": changed}) != before[stage] for stage in STAGES), path


def test_exceptions_name_values_that_exist(domain: Programs) -> None:
    example, fields = EXAMPLES[domain.domain], load(domain.domain, "params").Params.model_fields
    known = {path for stage in ("common", *STAGES) for path in params_of(fields[stage].annotation, stage)}
    everywhere = {path for path in known if path.split(".")[0] == "train"}
    assert {path for path in {**MATTERS_WHEN, **VALUES, **CHANGES_NO_BYTE} if path.startswith("train.")} <= everywhere
    assert {*example.values, *example.matters_when, *example.changes_no_byte} <= known
