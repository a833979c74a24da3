"""One request to a server, bounded in time and size whatever it sends, and threads that keep no program from ending."""

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from json import dumps
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

LONGEST_REPLY = 16 * 2**20
"""Bytes, unpacked; the longest answers of models have a hundredth of that."""
PATIENCE = 2
"""How many times `timeout`, which counts between two bytes, a whole answer may take."""


class ServerReply(NamedTuple):
    """A reply of any status."""

    status: int
    body: bytes
    retry_after: str | None = None
    location: str | None = None


class Server:
    """A server behind an address, with its key."""

    def __init__(self, base_url: str, key: str | None, timeout: float) -> None:
        """`timeout`: seconds between two bytes."""
        from httpx2 import Client, Limits  # noqa: PLC0415 - for nothing where the oracle is `rules`

        headers = {"User-Agent": "winnow", **({"Authorization": f"Bearer {key}"} if key else {})}
        # As many connections as there are requests at the same time, which label.oracle.concurrency bounds
        self.client = Client(headers=headers, timeout=timeout, limits=Limits(max_connections=None))
        self.base_url, self.timeout = base_url.rstrip("/"), timeout

    def exchange(
        self, method: str, path: str, *, seconds: float, most: int, json: Any = None, **content: Any
    ) -> ServerReply:
        """The reply. A redirect is one: neither the key nor the articles follow it.

        Raises TimeoutError after `seconds` or a pause of `timeout`, ConnectionRefusedError when nothing was sent,
        OSError when the connection is lost before there is a reply, and ValueError for a reply that cannot be read to
        its end, or of more than `most` bytes.
        """
        if json is not None:
            content |= {"content": dumps(json).encode(), "headers": {"Content-Type": "application/json"}}
        end = time.monotonic() + seconds
        try:
            return in_background(lambda: self._exchange(method, path, end, most, content)).result(seconds)
        except TimeoutError as error:
            raise TimeoutError(str(error) or f"no whole answer within {seconds:g} s") from None

    def _exchange(self, method: str, path: str, end: float, most: int, content: dict[str, Any]) -> ServerReply:
        import httpx2  # noqa: PLC0415

        is_heard, found = False, bytearray()
        try:
            with self.client.stream(method, f"{self.base_url}{path}", **content) as reply:
                is_heard = True
                for piece in reply.iter_bytes():  # of a packed reply at most 1 MiB
                    found += piece
                    if len(found) > most:
                        raise ValueError(f"a reply of more than {most:,} bytes")
                    if time.monotonic() > end:
                        raise TimeoutError
                told = (reply.headers.get(name) for name in ("retry-after", "location"))
                return ServerReply(reply.status_code, bytes(found), *told)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise ConnectionRefusedError(str(error)) from None
        except httpx2.TimeoutException:
            raise TimeoutError(f"no byte for {self.timeout:g} s") from None
        except httpx2.HTTPError as error:
            said = str(error) or type(error).__name__
            raise (ValueError if is_heard else OSError)(said) from None


def in_background(ask: Callable[[], T]) -> "Future[T]":
    """What `ask` will give, from a thread that ends with the program if it is not done before.

    Threads are kept: to start one takes as long as half a request.
    """
    future: Future[T] = Future()
    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = SimpleQueue()
        Thread(target=_work, args=(inbox,), daemon=True).start()
    inbox.put((future, ask))
    return future


_idle: "list[SimpleQueue[tuple[Future[Any], Callable[[], Any]]]]" = []
"""Inboxes of threads that have nothing to do."""
os.register_at_fork(after_in_child=_idle.clear)  # a process that is forked has none of them


def _work(inbox: "SimpleQueue[tuple[Future[Any], Callable[[], Any]]]") -> None:
    while True:
        future, ask = inbox.get()
        try:
            future.set_result(ask())
        except BaseException as error:  # raised where the result is wanted
            future.set_exception(error)
        del future, ask
        _idle.append(inbox)
