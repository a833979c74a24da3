"""
Run a stage program: `python -m winnow.pipeline.program stages/climb/filter.py`, as every command in dvc.yaml does.

Ctrl+C gives one line from the first moment on; while a program's imports run, Python would print a traceback.
Plain `python stages/climb/filter.py` with PYTHONPATH=src runs the same program.
"""

import os
import runpy
import signal
import sys
from types import FrameType

from winnow.pipeline.parent import PARENT

INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    signal.signal(signal.SIGINT, _leave)
    if os.environ.get(PARENT) == "":  # a shell that has no $PPID, such as fish
        os.environ[PARENT] = str(os.getppid())
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _leave(_signum: int, _frame: FrameType | None) -> None:
    """Leave at once: nothing has been read or written before the stage itself begins, see `run_stage`."""
    print(f"\n{sys.argv[0]} was interrupted before it began", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
