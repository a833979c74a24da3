"""How one of a training's several processes ends: at once, with its own exit code, and not after its launcher."""

import atexit
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from winnow.pipeline.parent import LAUNCHER

LOOKS = 0.2
"""seconds between two looks at whether the launcher still runs"""


@contextmanager
def without_teardown() -> Iterator[None]:
    """End this process after the block when it is one of several, without the interpreter's teardown.

    Threads of gloo, which joins the processes, may still run then, and abort a process that has done all its work
    (https://github.com/pytorch/pytorch/issues/190489). What is registered with `atexit` runs. A process that is alone
    ends as ever. When the launcher is killed, this process ends too, as if it had been killed with it.
    """
    if "LOCAL_RANK" not in os.environ:  # set by torchrun and by `learn.launch`
        yield
        return
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    code: Any = 0
    try:
        yield
    except SystemExit as left:
        code = left.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def _end_with_launcher() -> None:
    """
    End this process once its launcher has ended: nobody else would.

    The processes meet at the launcher. Without it they would wait there for half an hour, and hold the training's lock.
    """
    launcher = int(os.environ.get(LAUNCHER, os.getppid()))
    while os.getppid() == launcher:
        time.sleep(LOOKS)
    os._exit(128 + signal.SIGKILL)
