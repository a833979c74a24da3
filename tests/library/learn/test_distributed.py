"""Several processes on one machine: the same global batch, files written once."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accelerate.state import AcceleratorState

from tests.library.learn import tiny
from tests.library.learn.children import fork, wait
from winnow.learn import devices
from winnow.learn.settings import Training


def test_two_processes_train_with_the_same_global_batch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chosen = tiny.settings(epochs=2, accumulation=2, seed=5)
    alone = tiny.run(tmp_path / "one", chosen).history  # first, so that the children find all modules imported
    capfd.readouterr()
    _train_in_two(tmp_path / "two", chosen)
    said = capfd.readouterr().err
    assert "processes: 2" in said
    assert "train       96 rows, 12 batches" in said  # 6 steps of 16 rows: each process 2 × 4 rows a step
    assert said.count("epoch 1/2") == 1
    together = json.loads((tmp_path / "two/run/last/checkpoint.json").read_text())["history"]
    for one, two in zip(alone, together, strict=True):  # dropout differs between processes, so only nearly
        assert two["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=0.1)
        assert two["learning_rate"] == one["learning_rate"]


def test_two_processes_give_the_same_gradients_as_one(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=1)
    without_dropout = tiny.task(build=lambda: tiny.build(0.0))
    _train_in_two(tmp_path / "two", chosen, dropout=0.0)
    alone = tiny.run(tmp_path / "one", chosen, without_dropout).history[0]
    together = json.loads((tmp_path / "two/run/last/checkpoint.json").read_text())["history"][0]
    assert together["train"]["loss"] == pytest.approx(alone["train"]["loss"], rel=1e-5)
    assert together["val"]["loss"] == pytest.approx(alone["val"]["loss"], rel=1e-5)


def test_two_processes_stopped_within_an_epoch_end_in_the_same_bytes(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=2, checkpoint_steps=2)
    _train_in_two(tmp_path / "whole", chosen)
    _train_in_two(tmp_path / "stopped", chosen, loss=tiny.crashing(4, tiny.crash), code=1)  # after a state of two steps
    _train_in_two(tmp_path / "stopped", chosen, loss=tiny.crashing(9, tiny.crash), code=1)
    _train_in_two(tmp_path / "stopped", chosen)
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")


def test_the_launcher_sets_ranks_and_gives_the_programs_exit_code(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(f"import os, sys; open(f\"{tmp_path}/{{os.environ['RANK']}}\", 'w').close(); sys.exit(3)")
    command = [sys.executable, "-m", "winnow.learn.launch", "2", str(script)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": "src"}, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 3
    assert (tmp_path / "0").exists()
    assert "Traceback" not in done.stderr


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


def _train_in_two(
    folder: Path, chosen: Training, *, dropout: float = 0.2, loss: Callable[..., Any] = tiny.loss, code: int = 0
) -> None:
    """Two processes as torchrun sets them up, without its seconds of imports; both end with the exit code."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def work(rank: int) -> None:
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
        os.environ |= {name: str(value) for name, value in names.items()} | {"MASTER_ADDR": "127.0.0.1"}
        AcceleratorState._reset_state(reset_partial_state=True)
        tiny.run(folder, chosen, tiny.task(build=lambda: tiny.build(dropout), loss=loss))

    children = [fork(lambda rank=rank: work(rank)) for rank in range(2)]  # type: ignore[misc]
    assert [wait(child) for child in children] == [code, code]
