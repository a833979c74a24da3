"""What a server can do to a connection: each costs one try, is bounded in time and memory, and counts as maybe paid."""

import gzip
import os
import re
import signal
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.stages.articles_oracle.stub import KEY, open_labeller, some_articles
from tests.stages.programs import Programs, params
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Oracle
from winnow.domains.articles.rules.oracles import NoAnswer, OpenAIOracle, OracleError, Reply
from winnow.domains.articles.rules.questions import Question

TIMEOUT = 0.4
QUESTION = Question(system="", user="", schema={}, text="", variant="plain")
Send = Callable[[socket.socket], None]


def head(status: str = "200 OK", length: int = 10**11, more: str = "") -> bytes:
    about = "Content-Type: application/json\r\nConnection: close\r\n"
    return f"HTTP/1.1 {status}\r\n{about}Content-Length: {length}\r\n{more}\r\n".encode()


def drip(first: bytes, slow: bytes, rest: bytes) -> Send:
    """`first` at once, `slow` byte by byte, then `rest` again and again; each wait is shorter than that for a read."""

    def send(connection: socket.socket) -> None:
        connection.sendall(first)
        for each in slow:
            connection.sendall(bytes([each]))
            time.sleep(TIMEOUT / 4)
        while rest:
            connection.sendall(rest)

    return send


def all_at_once(content: bytes, pause: float = 0.0, *, reset: bool = False) -> Send:
    def send(connection: socket.socket) -> None:
        connection.sendall(content)
        time.sleep(pause)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return send


def bomb() -> bytes:
    """17 MiB in 17 kB."""
    packer = zlib.compressobj(1, wbits=31)
    return packer.compress(bytes(17 * 2**20)) + packer.flush()


def request(connection: socket.socket) -> bytes:
    """The whole of it: a connection that is closed with some unread is reset."""
    found = b""
    while not (length := re.search(rb"(?i)content-length: (\d+).*?\r\n\r\n", found, re.DOTALL)):
        found += connection.recv(2**16)
    while len(found) < length.end() + int(length[1]):
        found += connection.recv(2**16)
    return found


@contextmanager
def serving(send: Send) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server that reads a request and then does this, and what it was sent."""
    heard: list[bytes] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        try:
            with connection:
                heard.append(request(connection))
                send(connection)
        except OSError:  # the client is gone
            pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1", heard


def settings(url: str) -> Oracle:
    given = params()["articles"]["label"]["oracle"]
    changes = {"provider": "openai", "model": given["prices"]["model"], "base_url": url, "timeout": TIMEOUT}
    return Oracle(**{**given, **changes, "retries": 1})


PACKED = "Content-Encoding: gzip\r\n"
LATE, LONG = "no whole answer within 0.8 s", "a reply of more than 16,777,216 bytes"
CASES: dict[str, tuple[Send, str]] = {
    "a head, byte by byte": (drip(b"", head()[:-2] + b"X: " + b"x" * 1000, b""), LATE),
    "a head without end": (drip(b"HTTP/1.1 200 OK\r\n", b"", b"X-A: " + b"x" * 1000 + b"\r\n"), "too long"),
    "a body, byte by byte": (drip(head(), b" " * 1000, b""), LATE),
    "a failure, byte by byte": (drip(head("500 Oh"), b" " * 1000, b""), LATE),
    "a body without end": (drip(head(), b"", b" " * 2**16), LONG),
    "a failure without end": (drip(head("500 Oh"), b"", b" " * 2**16), LONG),
    "a refusal without end": (drip(head("400 Oh"), b"", b" " * 2**16), LONG),
    "a bomb": (all_at_once(head(length=len(bomb()), more=PACKED) + bomb()), LONG),
    "a failure's bomb": (all_at_once(head("500 Oh", length=len(bomb()), more=PACKED) + bomb()), LONG),
    "no gzip": (all_at_once(head(length=5, more=PACKED) + b"plain"), "incorrect header"),
    "half a gzip": (all_at_once(head(length=20, more=PACKED) + gzip.compress(b" " * 999)[:20]), "not JSON"),
    "half a body": (all_at_once(head(length=100) + b"{"), "peer closed connection"),
    "a body that is reset": (all_at_once(head(length=100) + b"{", 0.05, reset=True), "reset|closed"),
    "a body that stops": (all_at_once(head(length=100) + b"{", 3 * TIMEOUT), "no byte for 0.4 s"),
    "another protocol": (all_at_once(b"SSH-2.0-OpenSSH_9\r\n"), "."),
}


@pytest.mark.parametrize("kind", CASES)
def test_each_connection_that_fails_is_one_try_that_may_be_paid(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_ORACLE_KEY", KEY)
    send, told = CASES[kind]
    with serving(send) as (url, _):
        began = time.monotonic()
        with pytest.raises(NoAnswer, match=told) as caught:
            OpenAIOracle(settings(url)).ask(QUESTION)
    assert caught.value.maybe_paid
    assert time.monotonic() - began < 10


def test_a_server_that_is_left_is_no_longer_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_ORACLE_KEY", KEY)
    is_left = threading.Event()
    forever = drip(head(), b" " * 1000, b"")

    def send(connection: socket.socket) -> None:
        try:
            forever(connection)
        finally:
            is_left.set()

    with serving(send) as (url, _):
        with pytest.raises(NoAnswer):
            OpenAIOracle(settings(url)).ask(QUESTION)
        assert is_left.wait(5), "a thread of the client reads on"


def test_a_connection_that_breaks_in_a_reply_is_tried_again_and_then_the_articles_own(
    here: Programs, definition: Definition
) -> None:
    with (
        serving(CASES["half a body"][0]) as (url, heard),
        open_labeller(definition, settings(url), 100.0, 0) as labeller,
    ):
        highest = labeller.highest_cost(*labeller.unanswered(some_articles(1)[0]))
        (found,) = labeller.label_all(some_articles(1), is_batch=True)
        assert found.outcome == "refused"
        assert "peer closed connection" in found.reason
        assert len(heard) == 2
        assert labeller.use.lost_usd == pytest.approx(2 * highest)


def test_a_server_that_is_not_there_is_paid_nothing(here: Programs, definition: Definition) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with open_labeller(definition, settings(url), 100.0, 0) as labeller:
        (found,) = labeller.label_all(some_articles(1), is_batch=True)
        assert "refused" in found.reason
        assert labeller.use.lost_usd == 0


def test_neither_key_nor_article_follows_a_redirect(here: Programs, definition: Definition) -> None:
    with serving(all_at_once(head(length=0))) as (other, heard):
        moved = head("307 Moved", length=0, more=f"Location: {other}/chat/completions\r\n")
        with (
            serving(all_at_once(moved)) as (url, _),
            open_labeller(definition, settings(url), 100.0, 0) as labeller,
            pytest.raises(OracleError, match=f"status 307: {other}") as caught,
        ):
            labeller.label_all(some_articles(1), is_batch=True)
    assert "base_url" in caught.value.fix
    assert heard == []


@pytest.mark.parametrize("pause", ["1000000000", "inf", "nan", "-3", "soon", "Wed, 21 Oct 2037 07:28:00 GMT"])
def test_what_a_server_asks_to_wait_is_obeyed_within_reason(pause: str, here: Programs, definition: Definition) -> None:
    is_long = pause in {"1000000000", "inf"}
    with (
        serving(all_at_once(head("429 Wait", length=0, more=f"Retry-After: {pause}\r\n"))) as (url, heard),
        open_labeller(definition, settings(url), 100.0, 0) as labeller,
    ):
        (found,) = labeller.label_all(some_articles(1), is_batch=True)
    assert len(heard) == (1 if is_long else 2)
    assert ("it asks to wait" in found.reason) == is_long


def test_what_is_no_text_in_a_paid_answer_is_a_malformed_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_ORACLE_KEY", KEY)
    body = b'{"choices": [{"message": {"content": "\xff %s"}}]}' % KEY.encode()
    with serving(all_at_once(head(length=len(body)) + body)) as (url, _):
        reply: Reply = OpenAIOracle(settings(url)).ask(QUESTION)
    assert reply.text == "\ufffd …", "and the key, which the server repeats, is not in it"
    assert reply.estimated


WAITS = {"a pause of minutes": all_at_once(head("429 Wait", length=0, more="Retry-After: 500\r\n")),
         "a body, byte by byte": CASES["a body, byte by byte"][0]}  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", WAITS)
def test_a_signal_ends_a_run_within_the_limit_for_a_reply(
    kind: str,
    number: signal.Signals,
    here: Programs,
    definition: Definition,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with serving(WAITS[kind]) as (url, heard):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with open_labeller(definition, settings(url), 100.0, 0) as labeller:
                    labeller.label_all(some_articles(50), is_batch=True)
            except SystemExit as ended:
                code = int(str(ended.code))
            finally:
                os._exit(code)
        began = time.monotonic()
        while len(heard) < 8:
            assert time.monotonic() < began + 30, "the child has ended, or stands still"
            time.sleep(0.01)
        time.sleep(0.2)
        os.kill(child, number)
        began = time.monotonic()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + number
        assert time.monotonic() - began < 8
    assert "stopped: every answer that arrived is stored, and the same command goes on" in capfd.readouterr().err
