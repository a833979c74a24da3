"""A server on loopback that speaks the OpenAI protocol, scores articles as it is told, and fails on purpose."""

import hashlib
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PROMPT_TOKENS, COMPLETION_TOKENS, THINKING_TOKENS = 1000, 40, 7
CACHED_TOKENS, MUCH_THINKING = 600, 5000

Answer = Callable[[str, Sequence[str]], str]
"""(article, the dimensions in the order asked) to the text of the answer"""

LASTING = {"400": 400, "413": 413, "422": 422, "length": 200, "content-filter": 200, "sorry": 200}
"""Failures that an article has at each request, with their status; all others differ from request to request"""
STATUSES = {"429": 429, "500": 500, "401": 401, **{kind: status for kind, status in LASTING.items() if status != 200}}
PAID = {
    "no-json": "I would say about seven.",
    "sorry": "I am sorry, but I cannot score this.",
    "wrong-schema": '{"agency": "high"}',
    "length": '{"agency": 7, "prog',
    "content-filter": "",
}
UNPAID: dict[str, dict[str, Any]] = {
    "200-error": {"error": {"message": "upstream is busy", "code": 502}},
    "no-choices": {"choices": []},
}
USAGES: dict[str, dict[str, Any]] = {
    "usage-text": {"prompt_tokens": "1000", "completion_tokens": "47", "total_tokens": "1047"},
    "usage-odd": {"prompt_tokens": [1000], "completion_tokens": {"text": 40}, "total_tokens": -3},
    "usage-null": {"prompt_tokens": None, "completion_tokens_details": 7},
    "cached": {
        "prompt_tokens": PROMPT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": CACHED_TOKENS},
        "completion_tokens": COMPLETION_TOKENS + THINKING_TOKENS,
        "completion_tokens_details": {"reasoning_tokens": THINKING_TOKENS},
    },
    "thinking-long": {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS + MUCH_THINKING,
    },
    "thinking-beside": {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": COMPLETION_TOKENS,
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS + THINKING_TOKENS,
        "completion_tokens_details": {"reasoning_tokens": THINKING_TOKENS},
    },
}
HANG = 2.6
"""Seconds without an answer to a `time-out`; a client must wait less, but longer than a busy machine takes."""


class OracleServer:
    """`failures` are shares: of the articles for the `LASTING` ones, else of an article's requests.

    What fails is drawn from the article and the number of its request: in which order threads ask changes nothing.
    """

    def __init__(self, answer: Answer, failures: Mapping[str, float] | None = None, latency: float = 0.0) -> None:
        self.answer, self.failures, self.latency = answer, dict(failures or {}), latency
        self.lock = threading.Lock()
        self.requests: list[str] = []
        """the article of each request"""
        self.body: dict[str, Any] = {}
        """the last request"""
        self.most = self._open = 0
        """requests at the same time, at most and now"""
        self.served = 0
        """requests that are over, answered or not"""
        self.delivered: Counter[str] = Counter()
        """answers that were sent whole, by article; malformed ones too"""
        self.failed: Counter[str] = Counter()
        self.retries: list[tuple[float, float]] = []
        """when a 429 was sent, and when its article was asked about again"""
        self.keys: set[str] = set()
        self._limit: int | None = None
        self._reached, self._open_again = threading.Event(), threading.Event()
        self._refused: dict[str, float] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                try:
                    outer._serve(self)
                finally:
                    with outer.lock:
                        outer.served += 1

        class Server(ThreadingHTTPServer):
            request_queue_size = 128
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """A client that is gone is part of the tests."""

        self.http = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/v1"

    def rest(self) -> None:
        """Return when no request is under way."""
        while self.served < len(self.requests):
            time.sleep(0.005)

    def stop_after(self, requests: int) -> None:
        """Answer nobody any more, from this number of requests on, until `go_on`."""
        self._reached.clear()
        self._open_again.clear()
        self._limit = requests

    def await_stop(self) -> None:
        assert self._reached.wait(60), "the client has ended, or stands still"

    def go_on(self) -> None:
        self._limit = None
        self._open_again.set()

    @property
    def tokens(self) -> tuple[int, int, int, int]:
        count = sum(self.delivered.values())
        return count * PROMPT_TOKENS, 0, count * COMPLETION_TOKENS, count * THINKING_TOKENS

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.shutdown()
        self.http.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        system, user = (message.get("content", "") for message in body["messages"])
        article = re.search(r"\n\n--- (\w+) ---\n(.*)\n--- \1 ---$", user, re.DOTALL)[2]  # type: ignore[index]
        names = re.findall(r"\w+", system.rpartition("each with a number: ")[2])
        with self.lock:
            self.body = body
            kind = self._drawn(article, self.requests.count(article) if self.failures else 0)
            self.requests.append(article)
            self.keys.add(handler.headers["Authorization"])
            if article in self._refused:
                self.retries.append((self._refused.pop(article), time.monotonic()))
            self.failed[kind] += 1
            self._open += 1
            self.most = max(self.most, self._open)
            is_held = self._limit is not None and len(self.requests) > self._limit
        if is_held:
            self._reached.set()
            self._open_again.wait()
        time.sleep(self.latency)
        with self.lock:
            self._open -= 1
        if kind in STATUSES:
            with self.lock:
                if kind == "429":
                    self._refused[article] = time.monotonic()
            error = {"error": {"message": f"{kind}: who are you? {handler.headers['Authorization']}"}}
            self._send(handler, STATUSES[kind], error, {"Retry-After": "0.2"} if kind == "429" else {})
        elif kind in UNPAID:
            self._send(handler, 200, UNPAID[kind], {})
        elif kind == "time-out":
            time.sleep(HANG)
            handler.close_connection = True
        elif kind == "closed":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
        else:
            if kind == "slow":
                time.sleep(0.15)
            text = PAID[kind] if kind in PAID else self.answer(article, names)
            self._deliver(handler, kind, text)
            with self.lock:
                self.delivered[article] += 1

    def _drawn(self, article: str, request: int) -> str:
        """The failure of an article's request, or "ok"."""
        for is_lasting in (True, False):
            drawn = lot(f"lasting {article}" if is_lasting else f"{request} {article}")
            for name, share in self.failures.items():
                if (name in LASTING) == is_lasting:
                    if 0 <= drawn < share:
                        return name
                    drawn -= share
        return "ok"

    def _deliver(self, handler: BaseHTTPRequestHandler, kind: str, text: str) -> None:
        """A completion; by `kind` in parts, without a count of tokens, or cut off."""
        content = [{"type": "text", "text": text}] if kind == "parts" else text
        if kind == "fenced":
            content = f"Here are the scores:\n```json\n{text}\n```"
        usage: Mapping[str, Any] = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS + THINKING_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS + THINKING_TOKENS,
            "completion_tokens_details": {"reasoning_tokens": THINKING_TOKENS},
        }
        usage = USAGES.get(kind, usage)
        finish = {"length": "length", "content-filter": "content_filter"}.get(kind, "stop")
        choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice]}
        counted = {} if kind == "no-usage" else {"usage": usage}
        self._send(handler, 200, answer | counted, {}, cut=20 if kind == "cut" else 0)

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        content: Mapping[str, Any],
        headers: Mapping[str, str],
        cut: int = 0,
    ) -> None:
        """`cut` is how many bytes at the end are left out."""
        data = json.dumps(content).encode()
        data = data[: len(data) - cut]
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)


def lot(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
