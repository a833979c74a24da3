"""Several processes on one machine, by params: the same global batch, files written once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.library.learn import tiny


def test_two_processes_train_with_the_same_global_batch(tmp_path: Path) -> None:
    changes = {"epochs": 2, "accumulation": 2, "seed": 5}
    done = subprocess.run(
        [sys.executable, tiny.__file__, str(tmp_path / "two"), json.dumps({**changes, "devices": 2})],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(("src", ".")), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("best epoch") == 1
    assert "processes: 2" in done.stderr
    assert "train       96 rows, 12 batches" in done.stderr  # 6 steps of 16 rows; each process 2 × 4 rows a step
    assert done.stderr.count("epoch 1/2") == 1
    alone = tiny.run(tmp_path / "one", tiny.settings(**changes)).history
    together = json.loads((tmp_path / "two/run/last/checkpoint.json").read_text())["history"]
    for one, two in zip(alone, together, strict=True):  # dropout differs between processes, so only nearly
        assert two["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=0.1)
        assert two["learning_rate"] == one["learning_rate"]
