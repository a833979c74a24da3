"""Only `dvc` is killed: its orphaned programs may change nothing that the next `dvc repro` makes."""

import itertools
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.pipeline.conftest import Clone, wait_until
from tests.pipeline.test_resume import programs

FOLDERS = ("data/climb/train", "metrics/climb/train")
DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
FAST = {(2.0, 1)}
"""What `make test` runs, since it found most; `make test-long` runs every delay with one and two devices."""


@pytest.fixture
def longer(clone: Clone) -> Iterator[Clone]:
    """A finished clone with more epochs to train that remembers no result; whatever still runs at the end is killed."""
    clone.forget_training()
    clone.override({"climb.train.epochs": 40})
    yield clone
    for process in programs(clone):
        process.kill()


@pytest.mark.parametrize(
    ("delay", "devices"),
    [
        pytest.param(*each, marks=[] if each in FAST else [pytest.mark.long])
        for each in itertools.product(DELAYS, (1, 2))
    ],
)
def test_dvc_killed_alone_then_other_epochs(longer: Clone, finished: Clone, delay: float, devices: int) -> None:
    longer.override({"runtime.devices": devices})
    dvc = longer.start("dvc", "repro", "train@climb")
    wait_until(lambda: bool(programs(longer)) or dvc.poll() is not None, "the training to start")
    time.sleep(delay)
    dvc.send_signal(signal.SIGKILL)
    dvc.wait(60)
    orphans = programs(longer)
    assert orphans, longer.output()
    longer.override({"climb.train.epochs": 12})  # those of `finished`
    longer.run("dvc", "repro", "train@climb")
    made = longer.hashes(*FOLDERS)
    psutil.wait_procs(orphans, timeout=120)
    assert longer.hashes(*FOLDERS) == made, "an orphan changed the results after they were made"
    assert "up to date" in longer.run("dvc", "repro", "train@climb").stdout
    undisturbed = finished
    if devices > 1:  # other last bits than on one
        undisturbed = longer
        longer.forget_training()
        longer.run("dvc", "repro", "--force", "--single-item", "train@climb")
    assert undisturbed.hashes(*FOLDERS) == made, "not the bytes of an undisturbed run"


def test_killed_while_a_finished_run_is_removed(clone: Clone, finished: Clone) -> None:
    """A folder that is removed only in part must not be taken for a training's state."""
    (state,) = (folder for folder in (clone.root / ".winnow/train/climb").iterdir() if folder.is_dir())
    kept = state.name
    clone.override({"climb.train.seed": 99})
    running = clone.start(
        "env", f"PYTHONPATH={Path(__file__).parent / 'killed_in_rmtree'}", "python", "-m", "stages.climb.train"
    )
    assert running.wait(120) == -signal.SIGKILL, clone.output()
    assert (state.parent / f".removed-{kept}").exists() or not state.exists()
    clone.run("git", "checkout", "-q", "params.yaml")
    clone.run("dvc", "repro", "--force", "--single-item", "train@climb")
    assert clone.hashes(*FOLDERS) == finished.hashes(*FOLDERS)
    assert not list(state.parent.glob(".removed-*"))


def test_a_finished_training_says_so_and_how_to_train_again(clone: Clone) -> None:
    done = clone.run("dvc", "repro", "--force", "--single-item", "train@climb")
    output = done.stdout + done.stderr
    assert "has finished already with the same data, code and parameters" in output
    (folder,) = (line.split("remove ")[1].rstrip(".") for line in output.splitlines() if "To train again" in line)
    assert "epoch 1/12" not in output
    shutil.rmtree(clone.root / folder)
    again = clone.start("dvc", "repro", "--force", "--single-item", "train@climb")
    wait_until(lambda: "epoch 1/12" in clone.output(), "the first epoch")
    clone.kill_all(again)


def test_abandoned_trainings_are_removed_beyond_a_number(clone: Clone) -> None:
    runs = clone.root / ".winnow/train/climb"
    for number in range(8):
        folder = runs / f"abandoned{number}"
        folder.mkdir()
        os.utime(folder, (number, number))
        lock = runs / f"gone{number}.lock"
        lock.touch()
        os.utime(lock, (number, number))
    clone.run("dvc", "repro", "--force", "--single-item", "train@climb")
    assert sorted(path.name for path in runs.glob("abandoned?")) == [f"abandoned{number}" for number in range(3, 8)]
    assert not list(runs.glob("gone*"))


@pytest.mark.parametrize(("stage", "delay"), [("check", 0.1), ("ingest@climb", 1.5), ("train@climb", 0.5)])
def test_ctrl_c_is_one_line_also_while_a_program_imports(clone: Clone, stage: str, delay: float) -> None:
    clone.override({"climb.ingest.synthetic.routes": 500_000, "climb.train.epochs": 40})
    name = stage.partition("@")[0]
    if name != "check":
        clone.run("dvc", "repro", "--quiet", "check")
    dvc = clone.start("dvc", "repro", "--force", "--single-item", stage)
    wait_until(lambda: bool(stage_programs(clone, name)) or dvc.poll() is not None, f"{name} to start")
    time.sleep(delay)
    os.killpg(dvc.pid, signal.SIGINT)
    assert dvc.wait(60) != 0
    assert "Traceback" not in clone.output()
    assert "interrupted" in clone.output()


def stage_programs(clone: Clone, name: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command, folder = process.info["cmdline"] or [], process.info["cwd"] or ""
        if any(part in {f"stages.{name}", f"stages.climb.{name}"} for part in command) and Path(folder) == clone.root:
            found.append(process)
    return found
