"""A real server on the loopback address for tests of `winnow serve`, and what a reader sees of its pages."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from threading import Thread
from typing import Any

import uvicorn
from pydantic import Field

from winnow.domains.load import DOMAINS
from winnow.learn.folder import TrainedModel
from winnow.serve.app import Bounds, make_app
from winnow.serve.service import Clock, Question, Service, Upload
from winnow.serve.worker import Worker


@contextmanager
def served(*services: Service, bounds: Bounds | None = None, worker: Worker | None = None) -> Iterator[str]:
    """The address of a server of these services, in a thread of its own."""
    bounds = bounds or Bounds()
    worker = worker or Worker(seconds=bounds.seconds, most=bounds.questions)
    app = make_app(services, worker, bounds, ["127.0.0.1"], DOMAINS)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server does not end"


def text_of(html: str) -> str:
    """What a reader sees of a page; fails on any element that the templates do not use."""
    parts: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in {"script", "iframe", "object", "b"}, tag
            assert not [name for name, _ in attrs if name.startswith("on") or name == "style"], attrs

        def handle_data(self, data: str) -> None:
            parts.append(data)

    Reader().feed(html)
    return " ".join(" ".join(parts).split())


class Asked(Question):
    """Of the service below."""

    title: str = Field("", description="a title")
    content: str = Field("", description="a text")


def plain(answer: Callable[[Asked, Upload | None, Clock], Any], *, accept: tuple[str, ...] = ()) -> Service:
    """A service that needs no model."""
    trained = TrainedModel(Path("model"), "PASS", ())
    return Service(
        domain="articles", verb="score", title="Ask", lead="Ask.", trained=trained, question=Asked,
        answer=answer, accept=accept, offered={},
    )  # fmt: skip


URL = "/api/articles/score"
