"""Killed at any moment and run again, a training ends in the same bytes as one that was never killed."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.pipeline.conftest import Clone, wait_for_queue, wait_until

TRAIN = ("dvc", "repro", "--force", "--single-item", "train@climb")
MODEL = "data/climb/train/model"


@pytest.fixture
def fresh(clone: Clone) -> Iterator[Clone]:
    """A finished clone that has forgotten its training's state; whatever still runs at the end is killed."""
    shutil.rmtree(clone.root / ".winnow")
    yield clone
    for process in programs(clone):
        process.kill()


def programs(clone: Clone) -> list[psutil.Process]:
    """The train programs that run in the clone or in a copy that DVC made of it."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command, folder = process.info["cmdline"] or [], process.info["cwd"] or ""
        if "stages.climb.train" in command and Path(folder).is_relative_to(clone.root):
            found.append(process)
    return found


def epochs_done(clone: Clone) -> int:
    """Epochs that the state of the training in `.winnow` holds."""
    counts = [
        len(json.loads(file.read_text())["history"])
        for file in (clone.root / ".winnow").glob("train/climb/*/last/checkpoint.json")
    ]
    return max(counts, default=0)


def start_and_wait(clone: Clone, epochs: int) -> "psutil.Popen":
    process = clone.start(*TRAIN)
    wait_until(lambda: epochs_done(clone) >= epochs or process.poll() is not None, f"epoch {epochs}")
    assert process.poll() is None, f"the training ended before it could be killed:\n{clone.output()}"
    return process


def assert_same_bytes(clone: Clone, finished: Clone) -> None:
    folders = ("data/climb/train", "metrics/climb/train")
    assert clone.hashes(*folders) == finished.hashes(*folders)


@pytest.mark.parametrize("victim", ["stage", "group"])
def test_sigkill_and_run_again(fresh: Clone, finished: Clone, victim: str) -> None:
    dvc = start_and_wait(fresh, epochs=2)
    if victim == "stage":
        programs(fresh)[0].kill()
        assert dvc.wait(60) != 0
    else:
        os.killpg(dvc.pid, signal.SIGKILL)
        dvc.wait(60)
    again = fresh.run(*TRAIN)
    assert "resuming in phase" in again.stdout + again.stderr
    assert_same_bytes(fresh, finished)


def test_dvc_killed_alone_and_run_again_waits_for_the_orphan(fresh: Clone, finished: Clone) -> None:
    dvc = start_and_wait(fresh, epochs=2)
    (orphan,) = programs(fresh)
    assert orphan.ppid() == dvc.pid, "a shell between them would hide dvc's death"
    orphan.suspend()  # a fast machine would end the training before the next run begins
    dvc.kill()
    dvc.wait(60)
    again = fresh.start(*TRAIN)
    wait_until(lambda: f"process {orphan.pid} is running" in fresh.output(), "the second run to find the orphan")
    orphan.resume()
    assert again.wait(120) == 0, fresh.output()
    assert_same_bytes(fresh, finished)


def test_ctrl_c_names_the_checkpoint_and_the_next_run_goes_on(fresh: Clone, finished: Clone) -> None:
    dvc = start_and_wait(fresh, epochs=2)
    os.killpg(dvc.pid, signal.SIGINT)
    assert dvc.wait(60) != 0
    told = fresh.output()
    assert "checkpoints/interrupted" in told
    assert "Traceback" not in told
    assert not [file for file in fresh.root.rglob("*.tmp") if ".dvc" not in file.parts]
    again = fresh.run(*TRAIN)
    assert "resuming in phase" in again.stdout + again.stderr
    assert_same_bytes(fresh, finished)


def queue_and_start(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "--queue", "train@climb", "-S", "climb.train.epochs=12")
    assert clone.start("dvc", "queue", "start").wait(60) == 0  # to a file: the worker would hold a pipe open


@pytest.mark.long
def test_a_killed_queued_experiment_goes_on_when_queued_again(clone: Clone, finished: Clone) -> None:
    clone.override({"climb.train.epochs": 1})
    clone.forget_training()
    queue_and_start(clone)
    try:
        wait_until(lambda: epochs_done(clone) >= 2, "the queued training's second epoch")
        for process in programs(clone):
            process.kill()
        wait_for_queue(clone, "Failed")
        queue_and_start(clone)
        wait_for_queue(clone, "Success")
    finally:
        clone.run("dvc", "queue", "stop", "--kill", expect=None)
    name = clone.run("dvc", "exp", "list", "--name-only").stdout.split()[0]
    logs = clone.run("dvc", "queue", "logs", name)
    assert "resuming in phase" in logs.stdout + logs.stderr
    clone.run("dvc", "exp", "apply", name)
    assert clone.hashes(MODEL) == finished.hashes(MODEL)
