"""One attempt in a process of its own: what a bad input leads to, with its processor time and memory."""

import importlib
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from typing import Any

import psutil

from winnow.pipeline.errors import WinnowError, from_os_error

SECONDS = 10
"""of processor time"""
PATIENCE = 60
"""seconds on the clock: a process that waits for ever takes no processor time"""
MEMORY = 2**30
"""over what was imported"""
SPACE = 8 * 2**30
"""of addresses, so that a bomb ends before the machine does"""
BAD = ("traceback", "crash", "hang", "memory", "wrong", "unnamed")


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt."""

    kind: str
    """message: one WinnowError that names the file; carried on: no error; or one of BAD"""
    said: str = ""
    """the message, or the end of the traceback"""
    printed: str = ""
    told: str = ""
    """what was printed to standard error"""
    seconds: float = 0.0
    mib: float = 0.0


def attempt(action: Callable[[], Any], name: str = "", *, unlimited: bool = False) -> Outcome:
    """Call `action` in a fork; `name` is that of the damaged file, which a message has to name.

    Modules that the fork imported are imported here, so that the next fork has them.
    """
    with tempfile.TemporaryFile() as answer:
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _run(action, answer.fileno(), unlimited=unlimited)
        status = _wait(child, began + (PATIENCE if not unlimited else 3600))
        answer.seek(0)
        content = answer.read()
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        kind = "hang" if number in {signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL} else "crash"
        return Outcome(kind, signal.Signals(number).name)
    if not content:
        return Outcome("crash", f"exit code {os.WEXITSTATUS(status)} without an answer")
    kind, said, printed, told, seconds, held, modules = pickle.loads(content)
    for module in modules:
        if module not in sys.modules:
            with suppress(Exception):
                importlib.import_module(module)
    mib = held / 2**20
    if kind == "message" and name and name not in said and "ingest.sources" not in said:
        kind = "unnamed"
    if not unlimited and kind in {"message", "carried on"} and mib * 2**20 > MEMORY:
        kind = "memory"
    if not unlimited and kind in {"message", "carried on"} and seconds > SECONDS:
        kind = "hang"
    return Outcome(kind, said, printed, told, seconds, mib)


def _wait(child: int, end: float) -> int:
    pause = 0.001
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1]
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _run(action: Callable[[], Any], target: int, *, unlimited: bool) -> None:
    """In the child: never returns."""
    own, before = resource.getrusage(resource.RUSAGE_SELF), psutil.Process().memory_info().rss
    used = own.ru_utime + own.ru_stime
    known = set(sys.modules)
    if not unlimited:
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS + 2, int(used) + SECONDS + 4))
        resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + SPACE,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    printed, told = StringIO(), StringIO()
    kind, said = "carried on", ""
    try:
        with redirect_stdout(printed), redirect_stderr(told):
            try:
                action()
            except SystemExit as ended:
                if isinstance(ended.code, str):
                    kind, said = "message", ended.code
                elif ended.code:
                    kind, said = "message", printed.getvalue() + told.getvalue()
    except (WinnowError, OSError) as error:
        message = from_os_error(error) if isinstance(error, OSError) else error
        kind, said = "message", str(message)
    except BaseException:
        kind, said = "traceback", traceback.format_exc()[-1500:]
    if "Traceback (most recent call last)" in told.getvalue():
        kind, said = "traceback", told.getvalue()[-1500:]
    spent = resource.getrusage(resource.RUSAGE_SELF)
    held = max(spent.ru_maxrss * 1024 - before, 0)
    cost = spent.ru_utime + spent.ru_stime - used
    modules = [name for name in sys.modules if name not in known and not name.startswith("tests.")]
    found = (kind, said, printed.getvalue(), told.getvalue(), cost, held, modules)
    try:
        with os.fdopen(target, "wb", closefd=False) as file:
            file.write(pickle.dumps(found))
    finally:
        sys.stdout.flush()
        os._exit(0)
