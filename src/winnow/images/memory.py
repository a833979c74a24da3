"""How many pixels are decoded at the same time, whatever the number of cores.

A file says its size before anything of it is decoded; a thread whose image does not fit beside those of the others
waits. One image of the largest size always fits.
"""

from collections.abc import Callable
from threading import Condition, get_ident
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 200_000_000
"""Pixels that all threads decode at the same time: two of the largest images."""

_claims: dict[int, int] = {}
_changed = Condition()


def shared(function: Callable[[T], R], item: T) -> R:
    """`function(item)`, of which the images that it decodes count together with those of other threads in here."""
    own = get_ident()
    with _changed:
        _claims[own] = 0
    try:
        return function(item)
    finally:
        with _changed:
            del _claims[own]
            _changed.notify_all()


def claim(pixels: int) -> None:
    """Wait until an image of so many pixels fits; it takes the place of the last one of this thread.

    A thread that is not within `shared` decodes one image after another, and does not wait.
    """
    own = get_ident()
    with _changed:
        if own in _claims:
            _claims[own] = 0
            _changed.notify_all()
            _changed.wait_for(lambda: sum(_claims.values()) + pixels <= AT_ONCE)
            _claims[own] = pixels
