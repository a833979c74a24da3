"""Several processes on one machine, by params: the same global batch, files written once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.library.learn import tiny
from winnow.learn import devices


def test_two_processes_train_with_the_same_global_batch(tmp_path: Path) -> None:
    changes = {"epochs": 2, "accumulation": 2, "seed": 5}
    done = subprocess.run(
        [sys.executable, "-m", "winnow.learn.launch", "2", tiny.__file__, str(tmp_path / "two"), json.dumps(changes)],
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


def test_a_program_starts_itself_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: started.append(command))
    monkeypatch.setattr(sys, "argv", ["stages/toy/train.py", "--debug"])
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    devices.relaunch(1)
    assert started == []
    devices.relaunch(4)
    assert started == [[sys.executable, "-m", "winnow.learn.launch", "4", "stages/toy/train.py", "--debug"]]
    monkeypatch.setenv("LOCAL_RANK", "0")
    devices.relaunch(4)
    assert len(started) == 1
