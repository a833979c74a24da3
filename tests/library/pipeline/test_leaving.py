"""A process of several ends with its own code, its messages and what was registered, and with no teardown."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import atexit, sys, tempfile
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
