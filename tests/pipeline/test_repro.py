"""What `dvc repro` runs and what it does not, and that two clones agree."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import Clone

ALL = ["ingest", "filter", "label", "split", "weight", "train", "evaluate", "plot"]


def would_run(clone: Clone) -> list[str]:
    """The stages that DVC would run, each one that follows a changed one counted as changed."""
    told = clone.run("dvc", "repro", "--dry", "--force-downstream", "plot@climb").stdout
    return [line.split("'")[1].removesuffix("@climb") for line in told.splitlines() if line.startswith("Running stage")]


def edit(clone: Clone, path: str) -> None:
    with (clone.root / path).open("a", encoding="utf-8") as file:
        file.write("# edited\n")


def test_a_second_run_runs_nothing(clone: Clone) -> None:
    told = clone.run("dvc", "repro").stdout
    assert "Running stage" not in told
    assert "Data and pipelines are up to date" in told
    assert clone.run("git", "status", "--short").stdout == ""


def test_two_clones_in_two_folders_give_the_same_lock(finished: Clone, tmp_path: Path) -> None:
    other = Clone(tmp_path / "another place" / "clone")
    finished.run("git", "clone", "-q", str(finished.root), str(other.root))
    (other.root / "dvc.lock").unlink()
    shutil.rmtree(other.root / "metrics/climb")
    other.run("dvc", "repro")
    assert (other.root / "dvc.lock").read_text() == (finished.root / "dvc.lock").read_text()
    assert other.hashes("metrics/climb") == finished.hashes("metrics/climb")


@pytest.mark.parametrize(
    ("path", "stages"),
    [
        ("src/winnow/judge/gates.py", ["evaluate", "plot"]),
        ("stages/climb/plot.py", ["plot"]),
        ("src/winnow/domains/climb/model/network.py", ["train", "evaluate", "plot"]),
        ("src/winnow/domains/climb/view/boards.py", ["plot"]),
        ("stages/climb/weight.py", ["weight", "train", "evaluate", "plot"]),
        ("src/winnow/domains/climb/params.py", ["check"]),
        ("docs/climb.md", []),
        ("data/source/climb/README.md", []),
    ],
)
def test_an_edit_runs_what_depends_on_it_and_nothing_else(clone: Clone, path: str, stages: list[str]) -> None:
    edit(clone, path)
    if stages == ["check"]:
        told = clone.run("dvc", "repro", "plot@climb").stdout
        assert [line for line in told.splitlines() if line.startswith("Running stage")] == ["Running stage 'check':"]
    else:
        assert [stage for stage in would_run(clone) if stage != "check"] == stages


def test_runtime_changes_nothing_but_check(clone: Clone) -> None:
    clone.override({"runtime.num_workers": 1, "runtime.progress": "none"})
    told = clone.run("dvc", "repro", "plot@climb").stdout
    assert [line for line in told.splitlines() if line.startswith("Running stage")] == ["Running stage 'check':"]


@pytest.mark.parametrize("stage", ["ingest", "filter", "label", "split", "weight", "plot"])
def test_data_and_plot_stages_load_no_torch(clone: Clone, stage: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", f"stages/climb/{stage}.py"],
        cwd=clone.root, env={"PYTHONPATH": "src", "PATH": ""}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "pandas" in loaded
    assert not loaded & {"torch", "torchvision", "transformers", "accelerate", "torch_geometric"}


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
