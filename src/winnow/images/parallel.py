"""Work on a stream of images side by side, in order, and with few of them in memory: see `pipeline.parallel`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from winnow.images import memory
from winnow.images.codec import ImageError
from winnow.pipeline.parallel import chunks, on_cluster, spread
from winnow.pipeline.reading import reason

T = TypeVar("T")
R = TypeVar("R")

CHUNK = 8
"""Images that a cluster's worker gets at a time: a second's work, and a few megabytes of results."""


def map_images(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`map`, computed side by side: by threads, for decoding, resizing and filtering release Python's lock.

    What they decode at the same time is bounded, see `memory`. Results come in the order of the items, whatever the
    number of cores. On a cluster the function and the items travel: `images.store.Images` go by their path.
    """
    for results in spread(partial(_each, function), chunks(items, CHUNK if on_cluster() else 1), prefer="threads"):
        yield from results


def map_readable(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R | str]:
    """As `map_images`; for an image that cannot be read, the reason in its place."""
    return map_images(partial(_attempt, function), items)


def _each(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    return [memory.shared(function, item) for item in items]


def _attempt(function: Callable[[T], R], item: T) -> R | str:
    try:
        return function(item)
    except ImageError as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {reason(error)}"
