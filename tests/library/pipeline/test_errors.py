"""What the operating system refuses is a message too: what, where, what to do."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from winnow.pipeline.digests import module_digests
from winnow.pipeline.files import write_json

ROOT = Path(__file__).resolve().parents[3]

PROGRAM = """\
from winnow.pipeline.section import Section
from winnow.pipeline.stage import Stage, run_stage


class Size(Section):
    size: int


def main(stage: Stage[Size, Size]) -> None:
    stage.output("large.bin").write_bytes(b"0" * 1_000_000)
    stage.metrics(rows=1)


if __name__ == "__main__":
    run_stage(main)
"""

PARAMS = """\
seed: 1
runtime: {device: cpu, devices: 1, num_workers: 0, progress: none, cluster: null}
climb: {common: {size: 1}, plot: {size: 2}}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one program that writes a file of 1 MB."""
    (tmp_path / "stages/climb").mkdir(parents=True)
    (tmp_path / "stages/climb/plot.py").write_text(PROGRAM)
    shutil.copy(ROOT / "stages/__init__.py", tmp_path / "stages")
    (tmp_path / "src").mkdir()
    # a copy: the library refuses to run from outside the checkout
    subprocess.run(["cp", "-r", str(ROOT / "src/winnow"), str(tmp_path / "src/winnow")], check=True)
    (tmp_path / "params.yaml").write_text(PARAMS)
    return tmp_path


def run(
    folder: Path, limit: Callable[[], None] | None = None, **environment: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "stages.climb.plot"],
        cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False, preexec_fn=limit,
    )  # fmt: skip


def test_a_file_size_limit(checkout: Path) -> None:
    done = run(checkout, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)))
    assert done.returncode == 1
    assert "error in plot@climb: File too large" in done.stderr
    assert "raise the limit on file sizes" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made(checkout: Path) -> None:
    (checkout / "data").write_text("a file where a folder is needed")
    done = run(checkout)
    assert done.returncode == 1
    assert "error in plot@climb: Not a directory" in done.stderr
    assert "where: data/climb/plot" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_ledger_that_cannot_be_written_hides_nothing(checkout: Path) -> None:
    (checkout / ".winnow").write_text("a file where a folder is needed")
    done = run(checkout)
    assert done.returncode == 0
    assert "warning: the run could not be recorded in the ledger" in done.stderr
    assert (checkout / "metrics/climb/plot.json").exists()
    (checkout / "data").rename(checkout / "moved")
    (checkout / "data").write_text("a file where a folder is needed")
    failed = run(checkout)
    assert failed.returncode == 1
    assert "warning: the run could not be recorded in the ledger" in failed.stderr
    assert "where: data/climb/plot" in failed.stderr


def test_params_that_were_changed_while_the_stage_ran(checkout: Path) -> None:
    """DVC reads params.yaml when the stage has ended: it would record values that made nothing."""
    edit = f"""
    path = "{checkout}/params.yaml"
    text = open(path).read()
    open(path, "w").write(text.replace(*OLD_AND_NEW))
"""
    program = checkout / "stages/climb/plot.py"
    changes = {("seed: 1", "seed: 2"): 1, ("size: 1", "size: 3"): 1, ("size: 2", "size: 3"): 1}
    for old_and_new, code in {**changes, ("progress: none", "progress: bar"): 0}.items():
        (checkout / "params.yaml").write_text(PARAMS)
        program.write_text(
            PROGRAM.replace("    stage.metrics(", edit.replace("OLD_AND_NEW", str(old_and_new)) + "    stage.metrics(")
        )
        done = run(checkout)
        assert done.returncode == code, done.stderr
        assert ("the params of plot@climb were changed while it ran" in done.stderr) == bool(code)
        assert (checkout / "metrics/climb/plot.json").exists() == (not code)


def record_code(checkout: Path) -> None:
    """As `check` does, of the program alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(checkout)
        write_json(Path("data/code/climb/plot.json"), module_digests(["stages.climb.plot"]))


def test_code_that_was_edited_since_check_is_not_run_by_dvc(checkout: Path) -> None:
    """DVC would record the digests that `check` wrote beside the results of other code."""
    record_code(checkout)
    program = checkout / "stages/climb/plot.py"
    program.write_text(program.read_text() + "\nmore = 1\n")
    done = run(checkout, WINNOW_PARENT=str(os.getpid()))
    assert done.returncode == 1
    assert "error in plot@climb: the code of plot@climb was changed" in done.stderr
    assert not (checkout / "metrics").exists()
    assert run(checkout).returncode == 0, "a person's own run needs no `check`"
    record_code(checkout)
    assert run(checkout, WINNOW_PARENT=str(os.getpid())).returncode == 0


def test_nothing_is_written_once_dvc_was_killed(checkout: Path) -> None:
    record_code(checkout)
    done = run(checkout, WINNOW_PARENT="1")
    assert done.returncode == 1
    assert "the `dvc` that started this stage was killed" in done.stderr
    assert not (checkout / "metrics").exists()
    assert run(checkout, WINNOW_PARENT=str(os.getpid())).returncode == 0
    assert run(checkout, WINNOW_PARENT="").returncode == 0  # a shell without $PPID
