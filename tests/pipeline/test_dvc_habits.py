"""What DVC's documentation promises, in this repository: remotes, older commits, queues, imports, a model registry."""

import json
import shutil
from pathlib import Path

import pytest

from tests.pipeline.conftest import Clone, wait_for_queue
from tests.pipeline.test_bad_input import export

MODEL = "data/climb/train/model"


def other_clone(clone: Clone, target: Path) -> Clone:
    clone.run("git", "clone", "-q", str(clone.root), str(target))
    return Clone(target)


@pytest.fixture
def remote(clone: Clone, tmp_path: Path) -> Clone:
    """A clone whose results are in a default remote of their own, and in Git."""
    clone.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    clone.commit("a remote")
    clone.run("dvc", "push")
    return clone


def test_pull_brings_every_result_to_another_clone(remote: Clone, finished: Clone, tmp_path: Path) -> None:
    other = other_clone(remote, tmp_path / "other")
    assert not (other.root / MODEL).exists()
    other.run("dvc", "pull")
    assert other.hashes("data/climb", "metrics") == finished.hashes("data/climb", "metrics")
    assert "Running stage" not in other.run("dvc", "repro", "plot@climb").stdout


def test_a_registered_model_is_fetched_by_its_name_and_version(remote: Clone, tmp_path: Path) -> None:
    remote.run("gto", "register", "climb-generator", "--version", "v1.0.0")
    remote.override({"climb.train.epochs": 1})
    remote.run("dvc", "repro", "--quiet", "train@climb")
    remote.commit("a worse model")
    kept = other_clone(remote, tmp_path / "kept")  # of the tagged model only the remote has the bytes
    kept.run("git", "checkout", "-q", "climb-generator@v1.0.0")
    got = tmp_path / "got"
    address = (str(remote.root), "climb-generator", "--rev", "v1.0.0", "--out", str(got))
    remote.run("dvc", "artifacts", "get", *address)
    kept.run("dvc", "pull", MODEL)
    names = sorted(path.name for path in got.iterdir())
    assert names == sorted(path.name for path in (kept.root / MODEL).iterdir())
    weights = "model.safetensors"
    assert (got / weights).read_bytes() == (kept.root / MODEL / weights).read_bytes()
    assert (got / weights).read_bytes() != (remote.root / MODEL / weights).read_bytes()


def test_checkout_of_an_older_commit_brings_its_results_back(clone: Clone, finished: Clone) -> None:
    clone.override({"climb.plot.dpi": 81})
    clone.run("dvc", "repro", "plot@climb")
    clone.commit("larger pictures")
    assert clone.hashes("data/climb/plot") != finished.hashes("data/climb/plot")
    clone.run("git", "checkout", "-q", "HEAD~1")
    clone.run("dvc", "checkout")
    assert clone.hashes("data/climb") == finished.hashes("data/climb")
    assert "Running stage" not in clone.run("dvc", "repro", "plot@climb").stdout


def test_an_imported_file_is_a_source_that_can_be_updated(clone: Clone, tmp_path: Path) -> None:
    address, mine = tmp_path / "routes.json", "data/source/climb/mine.json"
    address.write_text(json.dumps(export(200)))
    clone.run("dvc", "import-url", str(address), mine)
    clone.override({"climb.ingest.sources": [{"format": "web", "path": mine}]})
    clone.run("dvc", "repro", "--quiet", "ingest@climb")
    clone.commit("imported")
    address.write_text(json.dumps(export(210)))
    assert f"\n{mine}.dvc: {address} has changed\n" in clone.run("winnow", "status").stdout
    assert clone.run("winnow", "report", "--base", "HEAD").stdout.splitlines()[0].endswith(f", {mine}.dvc")
    clone.run("dvc", "update", f"{mine}.dvc")
    assert "Running stage 'ingest@climb'" in clone.run("dvc", "repro", "ingest@climb").stdout
    assert json.loads((clone.root / "metrics/climb/ingest.json").read_text())["by_source"] == {"web": 210}
    assert mine not in clone.run("git", "ls-files").stdout.split()


def test_a_queued_experiment_is_run_applied_and_made_a_branch(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "--queue", "--name", "wide", "plot@climb", "-S", "climb.plot.dpi=82")
    clone.run("dvc", "queue", "start")
    try:
        wait_for_queue(clone, "Success")
    finally:
        clone.run("dvc", "queue", "stop", "--kill")
    before = clone.hashes("data/climb/plot")
    clone.run("dvc", "exp", "branch", "wide", "wide-branch")
    assert clone.hashes("data/climb/plot") == before
    clone.run("dvc", "exp", "apply", "wide")
    applied = clone.hashes("data/climb/plot")
    assert applied != before
    assert "dpi: 82" in (clone.root / "params.yaml").read_text()
    clone.run("git", "checkout", "-q", "--force", "wide-branch")
    shutil.rmtree(clone.root / "data/climb/plot")
    clone.run("dvc", "checkout", "plot@climb")
    assert clone.hashes("data/climb/plot") == applied
