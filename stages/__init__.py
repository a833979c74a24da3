"""
What every stage program does first: `python -m stages.climb.filter` imports this file before numpy and torch load.

The digest of this file belongs to every program's code, so that a change of KERNELS runs all stages again.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

KERNELS = {"OPENBLAS_NUM_THREADS": "1"}
if os.uname().machine == "x86_64":
    KERNELS |= {
        "MKL_CBWR": "COMPATIBLE",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR",
    }
"""
Environment variables that select the kernels of numpy, scipy and torch: with them the bytes of results agree on every
x86-64 CPU with AVX2, whoever made it, and training takes longer. Without them they agree on one kind of CPU only.
Their values name nothing that an ARM processor has: there PyTorch would warn of them in every training.
"""


def _leave(_signum: int, _frame: FrameType | None) -> None:
    """One line instead of a traceback when Ctrl+C comes while a program imports: nothing was read or written yet."""
    print(f"\n{sys.orig_argv[-1]} was interrupted before it began", file=sys.stderr, flush=True)
    os._exit(128 + signal.SIGINT)


os.environ.update(KERNELS)
# An editable install would import the main workspace's code in the copy that `dvc exp run --temp` or `--queue` makes.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
if sys.argv[0] == "-m":  # a program starts; a test or a benchmark only imports one
    signal.signal(signal.SIGINT, _leave)  # `run_stage` replaces it
    if os.environ.get("WINNOW_PARENT") == "":  # a shell that has no $PPID, such as fish
        os.environ["WINNOW_PARENT"] = str(os.getppid())
