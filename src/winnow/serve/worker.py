"""The one thread that computes: questions wait for it in a queue of limited length, and not for ever."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from winnow.pipeline.errors import WinnowError
from winnow.serve.service import Clock, TooSlowError

T = TypeVar("T")


class BusyError(WinnowError):
    """As many questions as the server takes are waiting."""


class Worker:
    """One thread: kernels use all cores themselves, and neither PDFium nor Matplotlib may be used by several."""

    def __init__(self, *, seconds: float, most: int) -> None:
        """`seconds` are for an answer, waiting included; `most` questions are taken at a time."""
        self.seconds, self.most = seconds, most
        self._pool = ThreadPoolExecutor(1, "winnow-serve")
        self._open: set[Future[Any]] = set()

    def now(self, job: Callable[[], T]) -> T:
        """The job's result; for what is done before there are questions."""
        return self._pool.submit(job).result()

    async def answer(self, job: Callable[[Clock], T]) -> T:
        """The job's result; raises BusyError, and TooSlowError, after which the job ends at its clock's next check."""
        if len(self._open) >= self.most:
            raise BusyError(f"{self.most} questions are being answered already", fix="ask again in some seconds")
        clock = Clock(self.seconds)
        future = self._pool.submit(self._started, job, clock)
        self._open.add(future)
        future.add_done_callback(self._open.discard)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.seconds)
        except TimeoutError:
            raise TooSlowError(
                f"the answer takes longer than {self.seconds:g} seconds",
                fix="ask for less at a time, or use the command line, which has no limit",
            ) from None

    @staticmethod
    def _started(job: Callable[[Clock], T], clock: Clock) -> T:
        clock.check()  # it may have waited until nobody does
        return job(clock)

    def close(self) -> None:
        """Take no more questions."""
        self._pool.shutdown(wait=False, cancel_futures=True)
