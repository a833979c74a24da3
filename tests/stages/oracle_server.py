"""A server on loopback that speaks the OpenAI protocol, scores articles as it is told, and fails on purpose."""

import hashlib
import json
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PROMPT_TOKENS, COMPLETION_TOKENS, THINKING_TOKENS = 1000, 40, 7

Answer = Callable[[str, Sequence[str]], str]
"""(article, the dimensions in the order asked) to the text of the answer"""

FAILURES = ("429", "500", "time-out", "closed", "no-json", "wrong-schema", "slow")
PAID = {"no-json": "I would say about seven.", "wrong-schema": '{"agency": "high"}'}
HANG = 2.6
"""Seconds without an answer to a `time-out`; a client must wait less, but longer than a busy machine takes."""


class OracleServer:
    """`failures` are shares of the requests; each article fails at its first requests only, as often as drawn."""

    def __init__(self, answer: Answer, failures: Mapping[str, float] | None = None, latency: float = 0.0) -> None:
        self.answer, self.failures, self.latency = answer, dict(failures or {}), latency
        self.rng = random.Random(7)
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

    @property
    def tokens(self) -> tuple[int, int, int]:
        count = sum(self.delivered.values())
        return count * PROMPT_TOKENS, count * COMPLETION_TOKENS, count * THINKING_TOKENS

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
        article = body["messages"][1]["content"].split("<article>\n", 1)[1].removesuffix("\n</article>")
        names = list(body["response_format"]["json_schema"]["schema"]["properties"])
        with self.lock:
            self.body = body
            self.requests.append(article)
            self.keys.add(handler.headers["Authorization"])
            if article in self._refused:
                self.retries.append((self._refused.pop(article), time.monotonic()))
            drawn = self.rng.random()
            kind = "ok"
            for name, share in self.failures.items():
                if 0 <= drawn < share:
                    kind = name
                drawn -= share
            self.failed[kind] += 1
            self._open += 1
            self.most = max(self.most, self._open)
        time.sleep(self.latency)
        with self.lock:
            self._open -= 1
        if kind == "429":
            with self.lock:
                self._refused[article] = time.monotonic()
            self._send(handler, 429, {"error": {"message": "slow down"}}, {"Retry-After": "0.2"})
        elif kind == "500":
            self._send(handler, 500, {"error": {"message": "oops"}}, {})
        elif kind == "401":
            self._send(handler, 401, {"error": {"message": "who are you?"}}, {})
        elif kind == "time-out":
            time.sleep(HANG)
            handler.close_connection = True
        elif kind == "closed":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
        else:
            if kind == "slow":
                time.sleep(0.15)
            text = PAID.get(kind) or self.answer(article, names)
            self._deliver(handler, kind, text)
            with self.lock:
                self.delivered[article] += 1

    def _deliver(self, handler: BaseHTTPRequestHandler, kind: str, text: str) -> None:
        """A completion; by `kind` in parts, without a count of tokens, or cut off."""
        content = [{"type": "text", "text": text}] if kind == "parts" else text
        usage = {
            "prompt_tokens": PROMPT_TOKENS,
            "completion_tokens": COMPLETION_TOKENS + THINKING_TOKENS,
            "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS + THINKING_TOKENS,
            "completion_tokens_details": {"reasoning_tokens": THINKING_TOKENS},
        }
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
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
