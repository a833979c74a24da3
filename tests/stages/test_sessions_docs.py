"""The example of docs/custom-training.md runs as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from stages.sessions import filter as filter_stage
from stages.sessions import ingest, label, split
from tests.conftest import ROOT
from tests.stages.test_sessions import run

PROGRAMS = (ingest, filter_stage, label, split)


def test_the_trainer_of_ones_own_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for program in PROGRAMS:
        run(program.__name__.rpartition(".")[2])
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/custom-training.md").read_text(), re.DOTALL)
    told = "\nfirst, best = result.history[0], result.history[result.best_epoch - 1]\n"
    told += "print(best['val']['recall_at_10'] / first['val']['recall_at_10'], result.weights.exists())\n"
    done = subprocess.run(
        [sys.executable, "-c", example + told],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ratio, kept = done.stdout.split()
    assert float(ratio) > 1.5
    assert kept == "True"
