"""How one of a training's several processes ends: at once, with the exit code that it would have had."""

import atexit
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_teardown() -> Iterator[None]:
    """End this process after the block when it is one of several, without the interpreter's teardown.

    Threads of gloo, which joins the processes, may still run then, and abort a process that has done all its work
    (https://github.com/pytorch/pytorch/issues/190489). What is registered with `atexit` runs. A process that is alone
    ends as ever.
    """
    if "LOCAL_RANK" not in os.environ:  # set by torchrun and by `learn.launch`
        yield
        return
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
