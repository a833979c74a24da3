"""The server of `winnow serve` without a model: its limits, its refusals, and the pages beside those of domains."""

import asyncio
import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
import requests
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.browser import Browser
from tests.conftest import ROOT
from tests.served import URL, Asked, plain, served, text_of
from winnow.domains.load import DOMAINS
from winnow.learn.folder import TrainedModel
from winnow.pipeline.errors import WinnowError
from winnow.serve.app import Bounds, _percent, make_app
from winnow.serve.limits import App, Limits, Message, Receive, Send
from winnow.serve.service import Clock, TooSlowError, Upload
from winnow.serve.worker import Worker
from winnow.workspace.serving import _hosts


def test_a_request_that_is_too_large_is_refused_and_not_kept() -> None:
    asked: list[Asked] = []
    small = Bounds(megabytes=0.01)
    with served(plain(lambda question, *_: asked.append(question) or {}), bounds=small) as address:
        answer = requests.post(address + URL, json={"content": "a" * 20_000})
        assert answer.status_code == 413
        assert "10,000 bytes" in answer.json()["error"]

        def parts() -> Iterator[bytes]:
            yield b'{"content": "'
            yield from (b"a" * 1000 for _ in range(20))
            yield b'"}'

        assert requests.post(address + URL, data=parts()).status_code == 413  # of which no length is told
        assert "10,000 bytes" in text_of(requests.post(address + "/articles", data={"content": "a" * 20_000}).text)
        assert not asked
        assert requests.post(address + URL, json={"content": "a" * 9_000}).status_code == 200
        assert len(asked) == 1
        whole = b'{"content": "' + b"a" * (10_000 - 15) + b'"}'
        as_json = {"content-type": "application/json"}
        assert requests.post(address + URL, data=whole, headers=as_json).status_code == 200, "as large as is allowed"
        assert requests.post(address + URL, data=whole + b" ", headers=as_json).status_code == 413


@pytest.mark.parametrize(
    ("parts", "status"), [([10], 200), ([4, 6], 200), ([11], 413), ([5, 6], 413), ([1] * 11, 413), ([11, 0], 413)]
)
def test_a_body_is_as_large_as_all_its_parts_together(parts: list[int], status: int) -> None:
    """However the connection cuts it."""
    told: list[int | bytes] = []

    async def app(_: Message, receive: Receive, __: Send) -> None:
        told.extend([200, (await receive())["body"]])

    def refusal(_: str, code: int, __: WinnowError) -> App:
        async def refused(*_: object) -> None:
            told.append(code)

        return refused

    messages: list[Message] = [{"type": "http.request", "body": b"a" * size, "more_body": True} for size in parts]
    messages[-1]["more_body"] = False

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_: Message) -> None:
        raise AssertionError("nothing is sent here")

    limits = Limits(app, refusal, most_bytes=10, seconds=5, most_bodies=1)
    asyncio.run(limits({"type": "http", "method": "POST", "path": "/"}, receive, send))
    assert told == ([200, b"a" * 10] if status == 200 else [status])
    assert not messages, "received to its end"


def test_a_refusal_names_the_missing_header_and_a_field_called_body() -> None:
    with served(plain(lambda *_: {"found": 1})) as address:
        bare = requests.post(address + URL, data=b'{"content": "a"}').json()["error"]
        assert "with the header `content-type: application/json`" in bare
        surplus = requests.post(address + URL, json={"content": "a", "body": "b"}).json()["error"]
        assert surplus == "`body`: there is no such field; those there are: title, content", (
            "taken for the body itself, or raw"
        )


def test_a_client_that_sends_slowly_keeps_nobody_waiting() -> None:
    bounds = Bounds(body_seconds=1, questions=1)
    with served(plain(lambda *_: {"found": 1}), bounds=bounds) as address:
        host, port = address.removeprefix("http://").split(":")
        slow = http.client.HTTPConnection(host, int(port), timeout=10)
        slow.putrequest("POST", URL)
        slow.putheader("content-type", "application/json")
        slow.putheader("content-length", "1000")
        slow.endheaders(b'{"content":')
        started = time.monotonic()
        assert requests.post(address + URL, json={}).json()["found"] == 1
        assert time.monotonic() - started < 0.9, "a question waited for a slow client"
        response = slow.getresponse()
        assert response.status == 408
        assert "1 seconds" in json.loads(response.read())["error"]


def test_only_so_many_requests_are_received_at_a_time() -> None:
    with served(plain(lambda *_: {"found": 1}), bounds=Bounds(body_seconds=20, questions=1)) as address:
        host, port = address.removeprefix("http://").split(":")
        slow = [http.client.HTTPConnection(host, int(port), timeout=20) for _ in "ab"]
        for each in slow:
            each.putrequest("POST", URL)
            each.putheader("content-type", "application/json")
            each.putheader("content-length", "2")
            each.endheaders(b"{")
        end = time.monotonic() + 10
        while (third := requests.post(address + URL, json={})).status_code == 200 and time.monotonic() < end:
            time.sleep(0.05)  # until both have been begun
        assert third.status_code == 503
        assert "too many requests" in third.json()["error"]
        assert requests.get(address + "/articles").status_code == 200, "a page has no body"
        for each in slow:
            each.send(b"}")
            assert each.getresponse().status in {200, 503}  # one question at a time
        assert requests.post(address + URL, json={}).status_code == 200, "their places are free again"


def test_pages_answers_and_refusals_say_that_they_run_no_script_and_are_not_kept() -> None:
    with served(plain(lambda *_: {"found": 1}), bounds=Bounds(megabytes=0.001)) as address:
        for response, status in (
            (requests.get(address + "/articles"), 200),
            (requests.post(address + URL, json={}), 200),
            (requests.post(address + "/articles", data={"other": "a"}), 422),
            (requests.post(address + URL, json={"other": "a"}), 422),
            (requests.post(address + "/articles", data={"content": "a" * 2000}), 413),
        ):
            assert response.status_code == status
            assert "default-src 'none'" in response.headers["content-security-policy"]
            assert (response.headers["x-content-type-options"], response.headers["cache-control"]) == (
                "nosniff", "no-store",
            )  # fmt: skip


def test_an_answer_that_takes_too_long_ends_and_too_many_questions_are_refused() -> None:
    checked = Event()

    def endless(_: Asked, __: Upload | None, clock: Clock) -> dict[str, int]:
        end = time.monotonic() + 5  # or a limit that never comes would keep this process for ever
        while time.monotonic() < end:
            try:
                clock.check()
            except TooSlowError:
                checked.set()
                raise
            time.sleep(0.01)
        return {}

    bounds = Bounds(seconds=0.6, questions=2)
    with served(plain(endless), bounds=bounds, worker=Worker(seconds=0.6, most=2)) as address:
        answers: list[requests.Response] = []

        def ask() -> None:
            answers.append(requests.post(address + URL, json={}, timeout=20))

        threads = [Thread(target=ask) for _ in "ab"]
        for thread in threads:
            thread.start()
        time.sleep(0.25)
        busy = requests.post(address + URL, json={}, timeout=20)
        assert busy.status_code == 503
        assert busy.headers["retry-after"]
        assert "2 questions" in busy.json()["error"]
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [503, 503], "no limit ended the answers"
        assert "0.6 seconds" in answers[0].json()["error"]
        assert checked.is_set() or checked.wait(1), "the computation went on"
        assert requests.get(address + "/articles").status_code == 200  # pages do not wait for answers


def test_a_computation_that_does_not_look_at_the_clock_keeps_nobody_waiting() -> None:
    def deaf(_: Asked, __: Upload | None, ___: Clock) -> dict[str, int]:
        time.sleep(2)
        return {}

    with served(plain(deaf), worker=Worker(seconds=0.3, most=2)) as address:
        started = time.monotonic()
        assert requests.post(address + URL, json={}, timeout=20).status_code == 503
        assert time.monotonic() - started < 1.8


def test_the_time_of_a_question_counts_from_when_it_was_asked() -> None:
    """And not from when those before it are answered."""
    worker = Worker(seconds=1.5, most=2)
    ended: list[float] = []

    def endless(clock: Clock) -> None:
        while time.monotonic() < started + 5:
            try:
                clock.check()
            except TooSlowError:
                ended.append(time.monotonic() - started)
                raise
            time.sleep(0.01)

    async def ask_both() -> tuple[object, object]:
        first = worker.answer(lambda _: time.sleep(1))
        return await asyncio.gather(first, worker.answer(endless), return_exceptions=True)

    started = time.monotonic()
    first, second = asyncio.run(ask_both())
    worker.now(lambda: None)  # what was begun has ended
    worker.close()
    assert first is None
    assert isinstance(second, TooSlowError)
    assert 1.5 <= ended[0] < 2.2, "2.5 if it counted from its own start"


def test_a_fault_of_the_program_shows_no_traceback() -> None:
    def fault(*_: object) -> None:
        raise KeyError("secret")

    with served(plain(fault)) as address:
        for response in (
            requests.post(address + URL, json={}),
            requests.post(address + "/articles", data={"content": "a"}),
        ):
            assert response.status_code == 500
            assert "secret" not in response.text
            assert "terminal" in response.text


def test_the_pages_beside_those_of_domains_are_good(browser: Browser) -> None:
    with served(plain(lambda *_: {"found": 1})) as address:
        for path in ("/", "/api", "/articles"):
            assert requests.head(address + path).status_code == 200  # by which a monitor asks
        for path in ("/", "/api", "/none"):
            browser.look(390, dark=True)
            browser.open(address + path)
            messages = browser.messages()
            assert (browser.violations(), browser.overflow()) == ([], 0)
            assert not messages or path == "/none"  # of which the console says that it is not found


def test_the_guide_tells_the_bounds() -> None:
    text, bounds = (ROOT / "docs/serve.md").read_text(), Bounds()
    for told in (f"{bounds.megabytes:g} MB", f"{bounds.seconds:g} seconds", f"{bounds.body_seconds:g} seconds"):
        assert told in text
    assert f"{bounds.questions} questions" in text


def test_another_name_for_this_machine_is_refused() -> None:
    """A page elsewhere whose name points here could read the answers otherwise."""
    with served(plain(lambda *_: {"found": 1})) as address:
        assert requests.post(address + URL, json={}, headers={"host": "evil.example"}).status_code == 400
        assert requests.post(address + URL, json={}).status_code == 200


def test_a_model_that_did_not_pass_says_so_and_one_that_passed_does_not() -> None:
    service = plain(lambda *_: {})
    assert service.warning == ""
    failed = replace(service, trained=TrainedModel(Path(), "FAIL", ("FAIL: worse than popularity",)))
    assert "FAIL: worse than popularity" in failed.warning
    unknown = replace(service, trained=TrainedModel(Path(), "not evaluated", ()))
    assert "not evaluated" in unknown.warning
    demonstration = replace(service, trained=TrainedModel(Path(), "PASS", (), is_demonstration=True))
    assert "trained on synthetic data" in demonstration.warning


@pytest.mark.parametrize(
    ("share", "told"),
    [(0.0, "0%"), (1.0, "100%"), (0.5, "50%"), (0.994, "99.4%"), (0.9996, "99.9%"), (0.004, "0.4%"), (0.0004, "0.1%")],
)
def test_no_share_is_rounded_to_nothing_or_everything(share: float, told: str) -> None:
    assert _percent(share) == told


@pytest.mark.parametrize(
    ("host", "header", "is_answered"),
    [
        ("::1", "[::1]:8000", True),
        ("::1", "localhost:8000", True),
        ("::1", "evil.example", False),
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("localhost", "evil.example", False),
        ("0.0.0.0", "this.machine:8000", True),
    ],
)
def test_a_loopback_address_answers_to_its_own_names_alone(host: str, header: str, is_answered: bool) -> None:
    app = Starlette(routes=[Route("/", lambda _: Response())])
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=_hosts(host), www_redirect=False)
    assert TestClient(app).get("/", headers={"host": header}).is_success == is_answered


def test_another_name_is_refused_and_sent_nowhere() -> None:
    """Also one that becomes an own name with `www.` before it."""
    worker = Worker(seconds=1, most=1)
    served_app = make_app([plain(lambda *_: {})], worker, Bounds(), ["www.tides.example", "127.0.0.1"], DOMAINS)
    with TestClient(served_app) as client:
        found = {
            host: client.get("/", headers={"host": host}, follow_redirects=False).status_code
            for host in ("www.tides.example", "127.0.0.1:8000", "tides.example", "evil.example")
        }
    assert found == {"www.tides.example": 200, "127.0.0.1:8000": 200, "tides.example": 400, "evil.example": 400}
