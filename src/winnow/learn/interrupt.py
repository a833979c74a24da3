"""Ctrl+C and SIGTERM: finish the step, save, print how to continue, exit with the signal's exit code."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any


class Interrupted(SystemExit):
    """A training stopped by a signal; its code is the shell's, 128 + the signal's number (Ctrl+C: 130)."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)


_listening: "list[StopRequest]" = []


class StopRequest:
    """Set by the first signal; the second one stops the program where it is."""

    def __init__(self) -> None:
        self.signum = 0

    def _note(self, signum: int, _frame: FrameType | None) -> None:
        self.signum = signum
        signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)
        print("stopping after this step (once more: at once) …", file=sys.stderr, flush=True)


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Listen for SIGINT and SIGTERM within the block (in the main thread; elsewhere Python allows no handler)."""
    request = StopRequest()
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, request._note) for number in (signal.SIGINT, signal.SIGTERM)}
    _listening.append(request)
    try:
        yield request
    finally:
        _listening.remove(request)
        for number, handler in before.items():
            signal.signal(number, handler)


def check_stop(lost: str) -> None:
    """Raise Interrupted when a stop was requested of a block that is under way, and say what of its work is lost."""
    for request in _listening:
        if request.signum:
            print(f"⚠ stopped; {lost}", file=sys.stderr, flush=True)
            raise Interrupted(request.signum)


def interruption_message(checkpoint: Path) -> str:
    """How to continue, for the user who stopped the training."""
    return (
        f"⚠ training interrupted; checkpoint saved to {checkpoint}\n"
        "  to continue, run the same command again; with other params a new one starts. To start from these weights,\n"
        "  copy the checkpoint to data/source/<domain>/models/ and name it in train.init_from"
    )
