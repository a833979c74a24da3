"""A server that sends a byte now and then, or without end, is left after a while, and its answer counts as paid."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.stages.programs import params
from winnow.domains.articles.params import Oracle
from winnow.domains.articles.rules.oracles import NoAnswer, OpenAIOracle
from winnow.domains.articles.rules.questions import Question

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000000\r\n"
TIMEOUT = 0.4


def pieces(kind: str) -> Iterator[tuple[bytes, float]]:
    """(bytes, seconds to wait after them); every wait is shorter than the limit for one read."""
    if kind == "a head, byte by byte":
        yield from ((bytes([each]), TIMEOUT / 4) for each in HEAD + b"X: " + b"x" * 1000)
    yield HEAD + b"\r\n", 0.0
    while True:
        yield (b" ", TIMEOUT / 4) if kind == "a body, byte by byte" else (b" " * 2**16, 0.0)


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("a head, byte by byte", "no whole answer within 0.8 s"),
        ("a body, byte by byte", "no whole answer within 0.8 s"),
        ("a body without end", "a reply of more than 16,777,216 bytes"),
    ],
)
def test_an_answer_without_end_ends(kind: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_ORACLE_KEY", "sk-1234567890")

    def serve() -> None:
        connection, _ = listening.accept()
        connection.recv(2**16)
        try:
            for content, pause in pieces(kind):
                connection.sendall(content)
                time.sleep(pause)
        except OSError:  # the client is gone
            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        given = params()["articles"]["label"]["oracle"]
        settings = Oracle(
            **{
                **given,
                "provider": "openai",
                "model": given["prices"]["model"],
                "base_url": f"http://127.0.0.1:{listening.getsockname()[1]}/v1",
                "timeout": TIMEOUT,
            }
        )
        question = Question(system="", user="", schema={}, text="", variant="plain")
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=told) as caught:
            OpenAIOracle(settings).ask(question)
    assert caught.value.maybe_paid
    assert time.monotonic() - began < 10
