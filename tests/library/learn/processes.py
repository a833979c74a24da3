"""Processes of their own that need not import torch again."""

import os
import sys
import time
import traceback
from collections.abc import Callable


def fork(work: Callable[[], object]) -> int:
    """Do `work` in a child, which leaves with its exit code; gives the child's id."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except SystemExit as leaving:
        os._exit(int(str(leaving.code)))
    except BaseException:  # a child must never return into pytest
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def wait(child: int) -> int:
    """The exit code; -9 for one that was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_until(child: int, reached: Callable[[], bool]) -> None:
    """Until `reached()`, which must be before the child ends."""
    while not reached():
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "the child has ended"
        time.sleep(0.01)


def in_child(work: Callable[[], object]) -> None:
    assert wait(fork(work)) == 0
