"""Runs of pytest that are forked from one process, which has imported what takes seconds to import."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import stages  # noqa: F401 - sets the kernels before numpy loads, as tests/conftest.py does
from benchmarks.measure import ROOT

IMPORTED = (
    *("accelerate", "dvc.repo", "huggingface_hub", "hypothesis", "matplotlib.figure", "pandas", "pandera.pandas"),
    *("PIL.Image", "pyarrow.parquet", "pydantic", "scipy.stats", "sklearn.ensemble", "torch", "torch_geometric"),
    *("torchvision", "transformers", "typer"),
)
TIMED_OUT = -signal.SIGALRM


class Runner:
    """One process to fork from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.mutation.forking"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, folder: Path, arguments: Sequence[str], environment: Mapping[str, str], seconds: int
    ) -> tuple[int, str]:
        """Pytest's exit code and output, run in `folder`; TIMED_OUT after so many seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        output = folder.parent / "output.txt"
        request = [str(folder), str(output), list(arguments), dict(environment), seconds]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        return code, output.read_text(encoding="utf-8", errors="replace")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def serve() -> None:
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(*request)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):  # what the tests started and left behind
            os.killpg(child, signal.SIGKILL)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(folder: str, output: str, arguments: list[str], environment: dict[str, str], seconds: int) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    signal.alarm(seconds)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder  # in place of this checkout
    for name in [name for name in sys.modules if name.partition(".")[0] in ("benchmarks", "stages")]:
        del sys.modules[name]
    sys.path.insert(0, f"{folder}/src")
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    import pytest  # noqa: PLC0415 - not before the fork: it keeps the folder where it was imported

    code = pytest.main(arguments)
    sys.stdout.flush()
    os._exit(int(code))


if __name__ == "__main__":
    serve()
