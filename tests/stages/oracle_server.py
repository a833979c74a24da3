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

LASTING = {"400": 400, "413": 413, "422": 422, "moderated": 403, "length": 200, "content-filter": 200, "sorry": 200}
"""Failures that an article has at each request, with their status; all others differ from request to request"""
STATUSES = {
    "429": 429,
    "500": 500,
    "401": 401,
    "403": 403,
    **{kind: status for kind, status in LASTING.items() if status != 200},
}
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
OUT = {"error": {"message": "out for lunch"}}
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
        self.batches = Batches(self)
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
                if not self.path.endswith("/chat/completions"):
                    outer.batches.serve(self)
                    return
                try:
                    outer._serve(self)
                finally:
                    with outer.lock:
                        outer.served += 1

            def do_GET(self) -> None:
                outer.batches.serve(self)

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
        article, names = asked_of(body)
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
            self._send(handler, 200, self.completion(kind, article, names), {}, cut=20 if kind == "cut" else 0)
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

    def completion(self, kind: str, article: str, names: Sequence[str]) -> dict[str, Any]:
        """A completion; by `kind` in parts, without a count of tokens, cut off, …"""
        text = PAID[kind] if kind in PAID else self.answer(article, [name for name in names if name != "rationale"])
        if kind not in PAID and "rationale" in names:
            text = json.dumps({"rationale": "People act.", **json.loads(text)})
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
        return answer | ({} if kind == "no-usage" else {"usage": usage})

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


def asked_of(body: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The article of a request, and the keys that its answer must have."""
    system, user = (message.get("content", "") for message in body["messages"])
    article = re.search(r"\n\n--- (\w+) ---\n(.*)\n--- \1 ---$", user, re.DOTALL)[2]  # type: ignore[index]
    names = re.findall(r"\w+", system.rpartition("each with a number: ")[2])
    return article, [*(["rationale"] if "The first key of the answer is rationale" in system else []), *names]


class Batches:
    """The part of a server that speaks OpenAI's Batch API: files, and batches of them, which take some looks."""

    def __init__(self, server: OracleServer) -> None:
        self.server = server
        self.looks = 2
        """after how many looks a batch is over"""
        self.expired_share = 0.0
        """share of the requests of a batch that it ends without, by article and batch"""
        self.refuses = ""
        """why a whole batch is refused; empty: none is"""
        self.deaf = 0
        """how many of the next requests about batches are answered with status 500"""
        self.dies_after_creation = False
        """whether the line is lost when a batch is made, which is made all the same"""
        self.lists = True
        """whether it lists the batches that were made; some servers do not"""
        self.sizes: list[int] = []
        """requests of each batch"""
        self._files: dict[str, bytes] = {}
        self._made: dict[str, dict[str, Any]] = {}
        self._looked: Counter[str] = Counter()

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        data = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        path = handler.path.partition("?")[0].removeprefix("/v1")
        with self.server.lock:
            if is_deaf := self.deaf > 0:
                self.deaf -= 1
            status, content = (500, OUT) if is_deaf else self._answer(handler.command, path, data)
        if path.endswith("/content") and not is_deaf:
            self._raw(handler, self._files[path.split("/")[2]])
        elif content is None:
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
        else:
            self.server._send(handler, status, content, {})

    def _answer(self, command: str, path: str, data: bytes) -> tuple[int, Any]:
        if (command, path) == ("POST", "/files"):
            lines = re.search(rb'name="file".*?\r\n\r\n(.*?)\r\n--', data, re.DOTALL)[1]  # type: ignore[index]
            assert b'name="purpose"' in data
            return 200, self._file(lines, "batch")
        if (command, path) == ("POST", "/batches"):
            return 200, self._make(json.loads(data))
        if path == "/batches":
            made = [self._state(name) for name in reversed(self._made)] if self.lists else []
            return 200, {"object": "list", "data": made, "has_more": False}
        if path.endswith("/content"):
            return 200, {}
        self._looked[path.split("/")[2]] += 1
        return 200, self._state(path.split("/")[2])

    def _file(self, content: bytes, purpose: str) -> dict[str, Any]:
        name = f"file-{len(self._files)}"
        self._files[name] = content
        about = {"bytes": len(content), "created_at": 0, "filename": name, "purpose": purpose, "status": "processed"}
        return {"id": name, "object": "file", **about}

    def _make(self, given: dict[str, Any]) -> Any:
        assert (given["endpoint"], given["completion_window"]) == ("/v1/chat/completions", "24h")
        name = f"batch-{len(self._made)}"
        lines = list(map(json.loads, self._files[given["input_file_id"]].splitlines()))
        assert len({line["custom_id"] for line in lines}) == len(lines)
        self.sizes.append(len(lines))
        files: dict[str, list[Any]] = {"output": [], "error": []}
        for line in [] if self.refuses else lines:
            self._work(line, files, name)
        found = {side: self._file(b"".join(json.dumps(row).encode() + b"\n" for row in rows), "batch_output")["id"]
                 for side, rows in files.items() if rows}  # fmt: skip
        counts = {"total": len(lines), "completed": len(files["output"]), "failed": len(files["error"])}
        self._made[name] = given | {"files": found, "counts": counts}
        if self.dies_after_creation:
            self.dies_after_creation = False
            return None
        return self._state(name)

    def _work(self, line: dict[str, Any], files: dict[str, list[Any]], batch: str) -> None:
        server = self.server
        article, names = asked_of(line["body"])
        if lot(f"{batch} {article}") < self.expired_share:
            error = {"code": "batch_expired", "message": "This request could not be executed in time."}
            files["error"].append({"custom_id": line["custom_id"], "response": None, "error": error})
            return
        kind = server._drawn(article, server.requests.count(article) if server.failures else 0)
        server.requests.append(article)
        server.body = line["body"]
        server.failed[kind] += 1
        if kind in STATUSES:
            side, status, body = "error", STATUSES[kind], {"error": {"message": f"{kind}: no"}}
        elif kind in UNPAID:
            side, status, body = "output", 200, UNPAID[kind]
        else:
            side, status, body = "output", 200, server.completion(kind, article, names)
            server.delivered[article] += 1
        response = {"status_code": status, "request_id": "r", "body": body}
        files[side].append({"id": "b", "custom_id": line["custom_id"], "response": response, "error": None})

    def _state(self, name: str) -> dict[str, Any]:
        made = self._made[name]
        is_over = self._looked[name] >= self.looks
        expired = self.expired_share > 0
        status = "failed" if self.refuses else "expired" if expired else "completed"
        files = made["files"] if is_over else {}
        errors = {"object": "list", "data": [{"code": "bad", "message": self.refuses}]} if self.refuses else None
        return {
            "id": name, "object": "batch", "endpoint": made["endpoint"], "input_file_id": made["input_file_id"],
            "completion_window": "24h", "created_at": 0, "metadata": made["metadata"],
            "status": status if is_over or self.refuses else "in_progress", "errors": errors,
            "request_counts": made["counts"] if is_over else {"total": len(made), "completed": 0, "failed": 0},
            "output_file_id": files.get("output"), "error_file_id": files.get("error"),
        }  # fmt: skip

    def _raw(self, handler: BaseHTTPRequestHandler, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)
