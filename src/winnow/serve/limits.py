"""What every request and response is held to, before anything reads or computes: size, time, and headers."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from winnow.pipeline.errors import WinnowError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Refusal = Callable[[str, int, WinnowError], App]
"""The response to a request for a path, with a status and an error."""

HEADERS = {
    # no script at all, nothing from elsewhere, in nobody's frame
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Limits:
    """An ASGI application around another: it reads the body whole, within its limits, before the other sees it."""

    def __init__(self, app: App, refusal: Refusal, *, most_bytes: int, seconds: float, most_bodies: int) -> None:
        """A body has at most `most_bytes`, arrives within `seconds`, and `most_bodies` are received at a time."""
        self.app, self.refusal, self.most_bytes, self.seconds = app, refusal, most_bytes, seconds
        self._places = most_bodies

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *own]
            await send(message)

        app = self.app if scope["method"] in {"GET", "HEAD"} else await self._received(scope, receive)
        await app(scope, receive, send_with_headers)

    async def _received(self, scope: Message, receive: Receive) -> App:
        """The application with the body, or the refusal of it."""
        if not self._places:
            busy = WinnowError("too many requests are being received", fix="ask again in some seconds")
            return self.refusal(scope["path"], 503, busy)
        self._places -= 1
        try:
            async with asyncio.timeout(self.seconds):
                body = await self._body(receive)
        except TimeoutError:
            late = WinnowError(
                f"the request did not arrive within {self.seconds:g} seconds", fix="send less, or over a faster line"
            )
            return self.refusal(scope["path"], 408, late)
        finally:
            self._places += 1
        if body is None:
            large = WinnowError(
                f"the request is larger than {self.most_bytes:,} bytes",
                fix="send a smaller file, or use the command line, which has no limit",
            )
            return self.refusal(scope["path"], 413, large)

        async def with_body(scope: Message, receive: Receive, send: Send) -> None:
            await self.app(scope, _replayed(body, receive), send)

        return with_body

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body; None for one that is too large, of which nothing is kept.

        That one is received to its end nevertheless: a browser shows no answer that comes while it still sends.
        """
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            part = message.get("body", b"")
            size += len(part)
            if size <= self.most_bytes:
                parts.append(part)
            else:
                parts.clear()
            more = message.get("more_body", False)
        return None if size > self.most_bytes else b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """The body as one message; after it what the connection says."""
    left = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return again
