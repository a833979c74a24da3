"""The bytes that every stage writes on the preset `tiny`: the same ones in every clone, on every CPU with AVX2.

They show that a change meant to change nothing changed nothing, and that two machines agree. After an intended change:

    env WINNOW_WRITE_BYTES=1 python -m pytest tests/stages/test_bytes.py      writes tests/stages/bytes.json
"""

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.stages.conftest import Finished
from tests.stages.programs import STAGES
from winnow.pipeline.cpu import cpu_warning
from winnow.pipeline.files import write_json

RECORDED = Path(__file__).with_name("bytes.json")


@pytest.mark.skipif(bool(cpu_warning()), reason="without AVX2 other kernels compute, and the last bits differ")
def test_every_stage_writes_the_bytes_that_it_wrote_before(finished: Finished) -> None:
    domain = finished.programs.domain
    made = {stage: digest(finished.folder, domain, stage) for stage in STAGES}
    recorded = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    if os.environ.get("WINNOW_WRITE_BYTES"):
        write_json(RECORDED, recorded | {domain: made})
        return
    if domain not in recorded and not (Path(__file__).parents[2] / "benchmarks" / domain).exists():
        pytest.skip(f"a new domain: record its bytes, as the top of {__file__} says")
    changed = [stage for stage in STAGES if recorded[domain][stage] != made[stage]]
    assert not changed, f"{domain}: other bytes from {changed[0]} on; if this was intended, see the top of {__file__}"


def digest(folder: Path, domain: str, stage: str) -> str:
    """Of the stage's data and figures: names and bytes."""
    found = hashlib.sha256()
    files = [*(folder / "data" / domain / stage).rglob("*"), *(folder / "metrics" / domain).glob(f"{stage}.json")]
    for file in sorted(file for file in files if file.is_file()):
        found.update(file.relative_to(folder).as_posix().encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]
