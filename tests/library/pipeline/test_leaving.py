"""A process of several ends with its own code, its messages and what was registered, no teardown, and its launcher."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PROGRAM = """
import atexit, sys, tempfile, time
from winnow.pipeline.leaving import without_teardown

class Late:
    def __del__(self):
        print("torn down")

late = Late()
late.itself = late
held = tempfile.TemporaryDirectory()
print(held.name)
atexit.register(print, "at exit")

@without_teardown()
def main():
    print("worked")
    END

main()
print("after")
"""


def ended(end: str, **environment: str) -> tuple[int, list[str], str]:
    own = {name: value for name, value in os.environ.items() if name not in {"LOCAL_RANK", "RANK"}}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("END", end)],
        env=own | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    folder, *said = done.stdout.splitlines()
    assert not Path(folder).exists(), "temporary files are removed"
    return done.returncode, said, done.stderr


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [("pass", 0, ""), ("sys.exit()", 0, ""), ("sys.exit(130)", 130, ""), ("sys.exit('no data')", 1, "no data\n")],
)
def test_one_of_several_ends_with_its_code_and_nothing_is_torn_down(end: str, code: int, told: str) -> None:
    assert ended(end, LOCAL_RANK="1") == (code, ["worked", "at exit"], told)
    alone, said, error = ended(end)
    assert (alone, error) == (code, told)
    assert said[-1] == "torn down"
    assert ("after" in said) == (end == "pass"), "alone it goes on"


def test_an_error_is_a_traceback_and_exit_code_1() -> None:
    code, said, error = ended("1 / 0", LOCAL_RANK="0")
    assert (code, said) == (1, ["worked", "at exit"])
    assert error.endswith("ZeroDivisionError: division by zero\n")


def test_a_process_whose_launcher_has_ended_meanwhile_ends_before_it_does_anything_else() -> None:
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.replace("END", "time.sleep(60)")],
        env={**os.environ, "LOCAL_RANK": "0", "WINNOW_LAUNCHER": "1"},
        stdout=subprocess.DEVNULL,
    )
    assert process.wait(timeout=50) == 137
    assert time.monotonic() - began < 40


def test_the_processes_end_when_their_launcher_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import os, pathlib, time\n"
        "from winnow.pipeline.leaving import without_teardown\n"
        "with without_teardown():\n"
        f"    pathlib.Path({str(tmp_path)!r}, os.environ['RANK'] + '.pid').write_text(str(os.getpid()))\n"
        "    time.sleep(120)\n"
    )
    command = [sys.executable, "-m", "winnow.learn.launch", "2", str(script)]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "src"}) as launcher:
        deadline = time.monotonic() + 90
        while not all((tmp_path / f"{rank}.pid").exists() for rank in (0, 1)) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)
        processes = [psutil.Process(int((tmp_path / f"{rank}.pid").read_text())) for rank in (0, 1)]
        assert all(process.is_running() for process in processes)
        launcher.kill()
    _, running = psutil.wait_procs(processes, timeout=30)
    for process in running:
        process.kill()
    assert not running, "they would wait for the launcher, and hold the training's lock"
