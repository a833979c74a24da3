"""How a program is started: its options, its kernels, and whose code it runs."""

import json
import os
import subprocess
import sys

import pytest

from stages import KERNELS
from tests.conftest import ROOT
from tests.pipeline.conftest import Clone

SEEN = """\
import os, subprocess, sys
import winnow
from threadpoolctl import threadpool_info

stage.metrics(
    library=winnow.__file__,
    threads={each["internal_api"]: each["num_threads"] for each in threadpool_info()},
    kernels={each["internal_api"]: each.get("architecture") for each in threadpool_info()},
    environment={name: os.environ.get(name) for name in NAMES},
)
"""


@pytest.mark.parametrize("options", [["--help"], ["--bogus"], ["surplus"]])
@pytest.mark.parametrize("program", ["stages.check", "stages.climb.filter", "stages.climb.train"])
def test_asking_a_program_for_help_or_by_a_wrong_option_runs_nothing(
    clone: Clone, program: str, options: list[str]
) -> None:
    before = written(clone)
    done = clone.run("python", "-m", program, *options, expect=0 if options == ["--help"] else 2)
    assert "--debug" in done.stdout + done.stderr
    assert written(clone) == before


def written(clone: Clone) -> dict[str, int]:
    """When each file that programs write was written."""
    return {name: (clone.root / name).stat().st_mtime_ns for name in clone.hashes("data", "metrics", ".winnow")}


def test_a_program_that_is_started_as_a_file_says_how_to_start_it(clone: Clone) -> None:
    before = clone.hashes("data", "metrics")
    done = clone.run("python", "stages/climb/filter.py", expect=1)
    assert "python -m stages.climb.filter" in done.stderr
    assert clone.hashes("data", "metrics") == before


def test_a_person_s_own_run_writes_the_bytes_of_dvc_s(clone: Clone, finished: Clone) -> None:
    places = ("data/climb/filter", "data/climb/train", "metrics/climb")
    for stage in ("filter", "train"):
        (clone.root / ".winnow").rename(clone.root / f"forgotten-{stage}")
        clone.run(sys.executable, "-m", f"stages.climb.{stage}")
    assert clone.hashes(*places) == finished.hashes(*places)


@pytest.mark.parametrize("where", [[], ["--temp"]], ids=["workspace", "temp"])
def test_programs_run_their_workspace_s_code_with_the_kernels_set(
    clone: Clone, finished: Clone, where: list[str]
) -> None:
    """The installed `winnow` is this checkout's, not the clone's; an experiment with `--temp` runs in a third copy."""
    program = clone.root / "stages/climb/weight.py"
    call = "    stage.write("
    seen = "".join(f"    {line}\n" for line in SEEN.replace("NAMES", repr(sorted(KERNELS))).splitlines())
    program.write_text(program.read_text().replace(call, seen + call, 1))
    clone.commit("weight tells how it runs")
    clone.run("dvc", "exp", "run", *where, "weight@climb")
    name = clone.run("dvc", "exp", "list", "--name-only").stdout.split()[0]
    clone.run("git", "checkout", "-q", ".")
    clone.run("dvc", "exp", "apply", name)
    found = json.loads((clone.root / "metrics/climb/weight.json").read_text())
    assert found["environment"] == dict(KERNELS)
    assert found["threads"]["openblas"] == 1
    assert found["kernels"]["openblas"] == "Haswell"
    assert found["library"].startswith(str(clone.root)), found["library"]
    assert (".dvc/tmp" in found["library"]) == bool(where)
    assert clone.hashes("data/climb/weight") == finished.hashes("data/climb/weight")


def test_the_kernels_are_set_whatever_the_shell_says() -> None:
    code = "import os, json, stages; print(json.dumps({name: os.environ[name] for name in stages.KERNELS}))"
    environment = {**os.environ, **dict.fromkeys(KERNELS, "of the shell")}
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT, env=environment
    )
    assert json.loads(done.stdout) == KERNELS


def test_ctrl_c_before_a_program_begins_names_the_program() -> None:
    code = "import stages; stages._leave(2, None)"
    done = subprocess.run(
        [sys.executable, "-c", code, "stages.climb.train"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 130
    assert done.stderr == "\nstages.climb.train was interrupted before it began\n"
