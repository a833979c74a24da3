"""What `dvc repro` runs and what it does not, and that two clones agree."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import Clone


def test_a_second_run_runs_nothing(clone: Clone) -> None:
    output = clone.run("dvc", "repro").stdout
    assert "Running stage" not in output
    assert "Data and pipelines are up to date" in output
    assert clone.run("git", "status", "--short").stdout == ""


def test_two_clones_in_two_folders_give_the_same_lock(finished: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path / "another place" / "clone")
    finished.run("git", "clone", "-q", str(finished.root), str(other.root))
    (other.root / "dvc.lock").unlink()
    shutil.rmtree(other.root / "metrics/climb")
    other.run("git", "checkout", "-q", "metrics/climb/noise.json")  # no stage writes it
    other.run("dvc", "repro")
    assert (other.root / "dvc.lock").read_text() == (finished.root / "dvc.lock").read_text()
    assert other.hashes("metrics/climb") == finished.hashes("metrics/climb")


def test_runtime_changes_nothing_but_check(clone: Clone) -> None:
    clone.override({"runtime.num_workers": 1, "runtime.progress": "none"})
    output = clone.run("dvc", "repro", "plot@climb").stdout
    assert [line for line in output.splitlines() if line.startswith("Running stage")] == ["Running stage 'check':"]


@pytest.mark.parametrize("stage", ["ingest", "filter", "label", "split", "weight", "plot"])
def test_data_and_plot_stages_load_no_torch(clone: Clone, stage: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", f"stages.climb.{stage}"],
        cwd=clone.root, env={"PATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "pandas" in loaded
    assert not loaded & {"torch", "torchvision", "transformers", "accelerate", "torch_geometric"}


@pytest.mark.long
def test_a_queued_experiment_runs_the_code_it_was_queued_with(clone: Clone) -> None:
    program = clone.root / "stages/climb/weight.py"
    text = program.read_text()
    call = "    stage.write("
    assert call in text
    program.write_text(text.replace(call, "    stage.metrics(code='queued')\n" + call, 1))
    clone.run("dvc", "exp", "run", "--queue", "weight@climb")
    program.write_text(text.replace(call, "    stage.metrics(code='edited since')\n" + call, 1))
    clone.run("dvc", "exp", "run", "--run-all")
    name = clone.run("dvc", "exp", "list", "--name-only").stdout.split()[0]
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "exp", "apply", name)
    assert json.loads((clone.root / "metrics/climb/weight.json").read_text())["code"] == "queued"
