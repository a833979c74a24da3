"""
A worker of a cluster that computes what the stages do, with their kernels and this checkout's code:

    python -m stages.worker dask worker tcp://scheduler:8786 --nthreads 1 --nworkers auto
    python -m stages.worker ray start --address scheduler:6379

It runs the command that follows in this environment; `stages/__init__.py` has set most of it by now.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(f"{__doc__}")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    os.chdir(ROOT)
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - in place of this process, so that signals reach it
