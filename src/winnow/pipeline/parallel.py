"""Work on rows side by side: by the cores of this machine, or by a cluster that is named in `runtime.cluster`.

joblib starts the processes, and is the door to Dask; Ray starts its tasks itself. What is handed to a
worker is small: the path of a file and the rows of it. Results come in the order of the tasks, few of them are in
memory, and they are the same bytes wherever they are computed.
"""

import os
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal, TypeVar

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""Tasks of a window for each core. While the results of one window are used, the next one is computed."""
FEW = 4
"""Tasks that are not worth starting processes for, which takes as long as some ten thousand rows."""


@dataclass(frozen=True)
class Engine:
    """A cluster that is connected."""

    results: Callable[[Callable[[Any], Any], Iterator[Any]], Iterator[Any]]
    """of a function of tasks, in order, from workers that compute the same bytes as this machine"""
    failing: Callable[[], AbstractContextManager[None]]
    """raises WinnowError when the cluster fails in the block"""


_engine: ContextVar[Engine | None] = ContextVar("engine", default=None)


@contextmanager
def workers(address: str | None) -> Iterator[None]:
    """Within the block `spread` uses the cluster at `runtime.cluster`, or this machine's cores where it names none.

    Raises WinnowError when there is no such cluster, or when its workers would not compute what this machine does.
    """
    if address is None:
        yield
        return
    from winnow.pipeline.cluster import connected  # noqa: PLC0415 - what it imports takes a second

    with connected(address) as engine:
        before = _engine.set(engine)
        try:
            yield
        finally:
            _engine.reset(before)


def on_cluster() -> bool:
    """Whether `spread` hands tasks to other machines, to which several rows should go at a time."""
    return _engine.get() is not None


def spread(function: Callable[[T], R], tasks: Iterable[T], *, prefer: Literal["threads", "processes"]) -> Iterator[R]:
    """`map(function, tasks)`, computed side by side; at most two windows of tasks are drawn ahead of what is used.

    Locally by `threads`, for a function that releases Python's lock, or by `processes`, which import the function's
    module anew; a few tasks then stay in this process. Neither function nor tasks should hold much data: on a cluster
    they travel. Raises what the function raises, and WinnowError when the cluster fails.
    """
    engine, waiting = _engine.get(), iter(tasks)
    if engine is not None:
        with engine.failing():
            yield from engine.results(function, waiting)
        return
    if prefer == "threads":
        yield from _by_threads(function, waiting, cores())
        return
    first = list(islice(waiting, FEW + 1))
    if len(first) <= FEW:
        yield from map(function, first)
    else:
        yield from windows(function, chain(first, waiting), {"backend": "loky"}, cores())


def cores() -> int:
    """The cores of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items, so many at a time."""
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some


def _by_threads(function: Callable[[T], R], tasks: Iterator[T], jobs: int) -> Iterator[R]:
    """The results, in order. (joblib looks every 10 ms whether a result is there: a small image takes 2 ms.)"""
    under_way: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(jobs)
    try:
        for task in tasks:
            under_way.append(pool.submit(function, task))
            if len(under_way) == 2 * AHEAD * jobs:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def windows(function: Callable[[T], R], tasks: Iterable[T], settings: Mapping[str, Any], jobs: int) -> Iterator[R]:
    """The results, in order, with these settings of joblib's `parallel_config`.

    joblib bounds what is computed at a time, and not what waits to be used: windows do.
    """
    from joblib import Parallel, delayed, parallel_config  # noqa: PLC0415 - a tenth of a second

    under_way: deque[Generator[R, None, None]] = deque()
    try:
        for window in chunks(tasks, AHEAD * jobs):
            with parallel_config(**settings, n_jobs=jobs):  # two windows of one Dask backend would stop each other
                run = Parallel(return_as="generator", batch_size=1, pre_dispatch="all")
            under_way.append(run(delayed(function)(task) for task in window))
            if len(under_way) == 2:
                yield from under_way[0]
                under_way.popleft()
        while under_way:
            yield from under_way[0]
            under_way.popleft()
    finally:
        with warnings.catch_warnings():  # of results that nobody wants any more
            warnings.simplefilter("ignore")
            for results in under_way:
                results.close()
