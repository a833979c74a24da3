"""Work on a stream of images with all cores, in order, and with few of them in memory."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from winnow.images import memory
from winnow.images.codec import ImageError
from winnow.pipeline.reading import reason

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""Results computed ahead of the current one, for each core."""


def map_images(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`map`, computed by threads: decoding, resizing and filtering release Python's lock.

    What they decode at the same time is bounded, see `memory`. Results come in the
    order of the items, whatever the number of cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(cores) as pool:
        for item in items:
            pending.append(pool.submit(memory.shared, function, item))
            if len(pending) > AHEAD * cores:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def map_readable(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R | str]:
    """As `map_images`; for an image that cannot be read, the reason in its place."""

    def attempt(item: T) -> R | str:
        try:
            return function(item)
        except ImageError as error:
            return str(error)
        except OSError as error:
            return f"cannot be read: {reason(error)}"

    return map_images(attempt, items)
