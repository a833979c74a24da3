"""What a stage prints besides its errors: what it is doing when that takes long, and one line at its end."""

import sys
import time
from collections.abc import Mapping
from threading import Timer
from typing import Any

import psutil

from winnow.pipeline.text import shown

DELAY = 2.0
"""seconds that something takes before it is announced"""
AGAIN = 60.0
"""seconds after which it is announced again, so that a log shows that the program is alive"""
MAX_REASONS = 5

_stage = ""
_what = ""
_timer: Timer | None = None


def say(*lines: str) -> None:
    """Print lines for the person at the terminal, at once, see `shown`: stdout is for what other programs read."""
    for line in lines:
        print(shown(line), file=sys.stderr, flush=True)


def announce(stage: str) -> None:
    """From now on `doing` prints, for this stage (`evaluate@climb`); with an empty name it stops."""
    global _stage  # noqa: PLW0603 - a program runs one stage
    _stage = stage
    if not stage:
        doing("")


def doing(what: str) -> None:
    """Tell what is done from now on: printed when it takes longer than DELAY, and again every AGAIN seconds.

    Does nothing outside of evaluate and plot programs, so that the library may call it anywhere.
    """
    global _timer, _what  # noqa: PLW0603
    if what == _what:
        return
    _what = what
    if _timer is not None:
        _timer.cancel()
    _timer = None
    if _stage and what:
        _tell(f"{_stage}  {what} …", DELAY, 0)


def _tell(line: str, after: float, waited: float) -> None:
    """Print the line after some seconds, and then again and again with the minutes that it takes already."""
    global _timer  # noqa: PLW0603

    def tell() -> None:
        minutes = f" {waited / 60:.0f} min" if waited else ""
        say(line + minutes)
        if _timer is timer:  # nothing else is done by now
            _tell(line, AGAIN, waited + AGAIN)

    timer = _timer = Timer(after, tell)
    timer.daemon = True
    timer.start()


def process_seconds() -> float:
    """Seconds since this program was started: its imports are part of what a person waits for."""
    return time.time() - psutil.Process().create_time()


def rows_line(rows_in: int, parts: Mapping[str, int], reasons: Mapping[str, Mapping[str, int]], *, equal: bool) -> str:
    """Where the rows went: `3,000 rows → 2,973 kept (27 too_few_holds)`; parts without rows are left out.

    The first part is the result and the others are in brackets, or all stand side by side if they are `equal`; a part
    that has reasons, `{reason: rows}`, is replaced by the most frequent of them.
    """
    (first, count), *others = parts.items()
    counts = [text for name, rows in others for text in _counts(name, rows, reasons.get(name, {}))]
    begin, end = (", ", "") if equal else (" (", ")")
    return f"{rows_in:,} rows → {count:,} {first}" + (f"{begin}{', '.join(counts)}{end}" if counts else "")


def _counts(name: str, rows: int, reasons: Mapping[str, int]) -> list[str]:
    frequent = sorted(((each, why) for why, each in reasons.items() if each), key=lambda found: (-found[0], found[1]))
    if not frequent:
        return [f"{rows:,} {name}"] if rows else []
    rest = len(frequent) - MAX_REASONS
    listed = [f"{each:,} {why}" for each, why in frequent[:MAX_REASONS]]
    return listed + ([f"{rest} more reasons"] if rest > 0 else [])


def headline(metrics: Mapping[str, Any]) -> tuple[str, str, str]:
    """Of evaluate.json: the verdict, the headline metric with its interval, and the strongest baseline's value."""
    name = next(each.removesuffix("_baseline") for each in metrics if each.endswith("_baseline"))
    value, low, high, baseline = (metrics[name + end] for end in ("", "_low", "_high", "_baseline"))
    return metrics["verdict"], f"{name} {value:.4g} ({low:.4g} to {high:.4g})", f"{baseline:.4g}"
