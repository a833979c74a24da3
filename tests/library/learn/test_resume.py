"""Killed at any moment and run again, a training ends in the same bytes as one that was never stopped."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from tests.library.learn import tiny
from tests.library.learn.processes import fork, in_child, wait, wait_until
from winnow.learn import checkpoints, devices
from winnow.learn.interrupt import Interrupted
from winnow.learn.settings import TrainingSettings
from winnow.learn.task import adamw

PHASES = [
    {"subset": "half", "epochs": 3, "learning_rate": 0.05},
    {"subset": "all", "epochs": 2, "learning_rate": 0.02},
]


@pytest.mark.parametrize(
    "changes",
    [
        {"scheduler__name": "constant", "scheduler__warmup": 0.5},
        {"scheduler__name": "cosine", "scheduler__warmup": 5.0, "precision": "bf16"},
        {"scheduler__name": "cosine_warm_restarts"},
        {"scheduler__name": "plateau", "learning_rate": 0.3},
        {"phases": PHASES, "scheduler__name": "cosine", "scheduler__warmup": 0.1},
        {"phases": PHASES, "scheduler__name": "plateau", "early_stopping__patience": 1, "precision": "bf16"},
        {"gradient_accumulation_steps": 2, "checkpoint_steps": 2},
        {"eval_every": 4, "checkpoint_steps": 3, "scheduler__name": "cosine"},
        {"eval_every": 4, "phases": PHASES, "early_stopping__patience": 1, "learning_rate": 0.3},
        {"ema_decay": 0.9, "eval_every": 4, "phases": PHASES},
        {"ema_decay": 0.8, "phases": PHASES, "select": "last"},
    ],
    ids=lambda changes: " ".join(str(value) for value in changes.values() if isinstance(value, (str, int))),
)
def test_resumed_equals_uninterrupted(tmp_path: Path, changes: dict[str, Any]) -> None:
    chosen = tiny.settings(**changes)
    tiny.run(tmp_path / "whole", chosen)
    for at in (9, 4, 11):  # batches since the last start: within the first epoch, at later ones, between phases
        with pytest.raises(tiny.CrashError):
            tiny.run(tmp_path / "stopped", chosen, tiny.task(loss=tiny.crashing(at, tiny.crash)))
    tiny.run(tmp_path / "stopped", chosen)
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")


def test_states_within_an_epoch_are_resumed_from(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=1, checkpoint_steps=2)
    tiny.run(tmp_path / "whole", chosen)
    with pytest.raises(tiny.CrashError):
        tiny.run(tmp_path / "stopped", chosen, tiny.task(loss=tiny.crashing(6, tiny.crash)))
    with pytest.raises(tiny.CrashError):  # two batches of six are left
        tiny.run(tmp_path / "stopped", chosen, tiny.task(loss=tiny.crashing(2, tiny.crash)))
    tiny.run(tmp_path / "stopped", chosen, tiny.task(loss=tiny.crashing(3, tiny.crash)))
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("at", [2, 6, 8, 17])
@pytest.mark.parametrize("changes", [{}, {"ema_decay": 0.9, "eval_every": 4}], ids=["plain", "averaged"])
def test_a_signal_saves_says_so_and_leaves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], at: int, signum: int, code: int, changes: dict[str, Any]
) -> None:
    chosen = tiny.settings(epochs=3, **changes)
    handler = signal.getsignal(signum)
    tiny.run(tmp_path / "whole", chosen)
    with pytest.raises(Interrupted) as caught:
        tiny.run(tmp_path / "stopped", chosen, tiny.task(loss=tiny.crashing(at, lambda: os.kill(os.getpid(), signum))))
    assert caught.value.code == code
    assert signal.getsignal(signum) is handler
    interrupted = tmp_path / "stopped/run/checkpoints/interrupted"
    assert f"checkpoint saved to {interrupted}" in capsys.readouterr().err
    assert tiny.contents(interrupted).keys() == {"checkpoint.json", "model.safetensors"}
    weights = [load_file(folder / "model.safetensors") for folder in (interrupted, tmp_path / "stopped/run/last")]
    same = [torch.equal(value, weights[1][name]) for name, value in weights[0].items()]
    assert same == [not chosen.ema_decay] * len(same)  # it is used as it is; `last` trains on
    tiny.run(tmp_path / "stopped", chosen)
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")


def test_the_loss_scale_outlives_a_training_killed_between_phases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = devices.start

    def scaled(device: str, chosen: TrainingSettings) -> Accelerator:
        accelerator = start(device, chosen)
        accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=5)  # fp16 needs a GPU
        return accelerator

    def killed(groups: list[dict[str, Any]], rate: float, decay: float) -> torch.optim.Optimizer:
        if rate == PHASES[1]["learning_rate"]:
            tiny.crash()
        return adamw(groups, rate, decay)

    monkeypatch.setattr(devices, "start", scaled)
    chosen = tiny.settings(phases=PHASES)
    tiny.run(tmp_path / "whole", chosen)
    with pytest.raises(tiny.CrashError):
        tiny.run(tmp_path / "stopped", chosen, tiny.task(optimizer=killed))
    tiny.run(tmp_path / "stopped", chosen)
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")


def test_killed_at_random_moments(tmp_path: Path) -> None:
    chosen = tiny.settings(phases=PHASES, checkpoint_steps=2)
    started = time.perf_counter()
    in_child(lambda: tiny.run(tmp_path / "whole", chosen))
    whole = time.perf_counter() - started
    moments = random.Random(7)
    killed = 0
    while killed < 6:
        child = fork(lambda: tiny.run(tmp_path / "killed", chosen))
        time.sleep(moments.uniform(0.0, whole / 2))
        os.kill(child, signal.SIGKILL)
        wait(child)
        killed += 1
    in_child(lambda: tiny.run(tmp_path / "killed", chosen))
    tiny.assert_same(tmp_path / "killed", tmp_path / "whole")


def test_killed_at_every_rename(tmp_path: Path) -> None:
    """The moments that are too short to hit by chance: between the renames that replace a checkpoint."""
    chosen = tiny.settings(epochs=2, phases=[{**phase, "epochs": 1} for phase in PHASES])
    in_child(lambda: tiny.run(tmp_path / "whole", chosen))
    finished = False
    for at in range(1, 100):
        folder = tmp_path / f"killed {at}"
        wait(fork(lambda folder=folder, at=at: _run_killed_at_rename(folder, chosen, at)))  # type: ignore[misc]
        finished = (folder / "run/checkpoints/final").exists()
        in_child(lambda folder=folder: tiny.run(folder, chosen))  # type: ignore[misc]
        tiny.assert_same(folder, tmp_path / "whole")
        if finished:
            break
    assert finished
    assert at > 10


def test_ctrl_c_from_outside(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A process of its own: exit code 130, a message that names the checkpoint and how to go on."""
    child = fork(lambda: tiny.run(tmp_path, tiny.settings(epochs=100_000)))
    wait_until(child, (tmp_path / "run/last").exists)
    os.kill(child, signal.SIGINT)
    assert wait(child) == 130
    said = capfd.readouterr().err
    assert f"checkpoint saved to {tmp_path / 'run/checkpoints/interrupted'}" in said
    assert "run the same command again" in said


def _run_killed_at_rename(folder: Path, chosen: TrainingSettings, at: int) -> None:
    calls = 0
    rename = Path.rename

    def counted(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    assert checkpoints.Path is Path
    Path.rename = counted  # type: ignore[assignment,method-assign]
    tiny.run(folder, chosen)
