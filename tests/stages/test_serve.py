"""`winnow serve`: a real server on the loopback address, asked by real requests, gives the command line's answers."""

import base64
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn
from PIL import Image
from pydantic import Field
from selenium.webdriver.support.ui import WebDriverWait
from typer.testing import CliRunner

from tests.browser import Browser
from tests.conftest import ROOT
from tests.stages.conftest import Finished, torch_restored
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.load import has_module, load
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.learn.folder import TrainedModel, use_model
from winnow.serve.app import Bounds, make_app
from winnow.serve.service import Clock, Question, Service, Upload
from winnow.serve.worker import Worker

PATIENCE = 300
"""Seconds for an answer on a busy machine."""
HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}\x1b[31m\u202eevil"
"""HTML, a script, quotes, a template, a terminal's escape, and a mark that turns the direction of text."""


@dataclass(frozen=True)
class Case:
    """A question, and the command that asks the same."""

    command: list[str]
    question: dict[str, Any]
    file: Path | None = None
    shown: str = ""
    """what the page shows of the answer"""


def of_climb() -> list[Case]:
    return [
        Case(
            ["generate", "--grade", "6C+", "--count", "2", "--seed", "3", "--json"],
            {"grade": "6C+", "count": 2, "seed": 3},
            shown="finish",
        )
    ]


def of_documents() -> list[Case]:
    page = Image.fromarray(draw_page("letter", 300, np.random.default_rng(0)))
    other = Image.fromarray(draw_page("table", 300, np.random.default_rng(1)))
    page.save("report_p2.png")
    page.save("two.pdf", save_all=True, append_images=[other])
    Path("out").mkdir(exist_ok=True)
    return [
        Case(["assess", "report_p2.png", "--json"], {}, Path("report_p2.png"), "Score"),
        Case(["assess", "two.pdf", "--turn", "--json"], {"turn": True}, Path("two.pdf"), "Page 2"),
        Case(
            ["assess", "report_p2.png", "--explain", "out", "--json"],
            {"explain": True},
            Path("report_p2.png"),
            "heat map",
        ),
    ]


def of_retina() -> list[Case]:
    draw_fundus(2, True, 90, np.random.default_rng(2)).save("eye.png")
    Image.fromarray(draw_page("letter", 300, np.random.default_rng(0))).save("letter.png")
    Path("out").mkdir(exist_ok=True)
    return [
        Case(["grade", "eye.png", "--json"], {}, Path("eye.png"), "eye.png"),
        Case(["grade", "eye.png", "--explain", "out", "--json"], {"explain": True}, Path("eye.png"), "eye.png"),
        Case(["grade", "letter.png", "--json"], {}, Path("letter.png"), "Ungradable: refer"),
    ]


def of_sessions() -> list[Case]:
    user = pd.read_parquet("data/sessions/label/users.parquet")["user"][3]
    songs = pd.read_parquet("data/sessions/label/songs.parquet")["song"]
    Path("likes.txt").write_text(f"{songs[1]}\n{songs[4]}\nno such song\n")
    return [
        Case(["recommend", user, "--k", "5", "--json"], {"user": user, "k": 5}, shown="chance"),
        Case(
            ["recommend", "--likes", f"{songs[2]},{songs[7]}", "--k", "3", "--json"],
            {"likes": f"{songs[2]},{songs[7]}", "k": 3},
            shown="because of",
        ),
        Case(
            ["recommend", "--file", "likes.txt", "--json"], {"likes": Path("likes.txt").read_text()}, shown="left out"
        ),
    ]


def of_playlists() -> list[Case]:
    tracks = pd.read_parquet("data/playlists/label/tracks.parquet")
    artists = pd.read_parquet("data/playlists/label/artists.parquet")["artist"]
    names = [f"{artists[row.artist_index]} – {row.title}" for row in tracks[:5].itertuples()]
    return [
        Case(
            ["complete", "--tracks", "; ".join(names[:3]), "--k", "4", "--json"],
            {"tracks": "; ".join(names[:3]), "k": 4},
            shown="because of",
        ),
        Case(["complete", "--name", "no such word", "--json"], {"name": "no such word"}, shown="most popular"),
    ]


def of_articles() -> list[Case]:
    line = {"id": "mine", "title": "A <b>bold</b> plan", "content": "The town builds a solar plant. " * 30}
    Path("one.jsonl").write_text(json.dumps(line) + "\n")
    return [Case(["score", "one.jsonl"], line, shown="overall")]


CASES: dict[str, Callable[[], list[Case]]] = {
    "articles": of_articles,
    "climb": of_climb,
    "documents": of_documents,
    "playlists": of_playlists,
    "retina": of_retina,
    "sessions": of_sessions,
}


@contextmanager
def served(*services: Service, bounds: Bounds | None = None, worker: Worker | None = None) -> Iterator[str]:
    """The address of a server of these services, in a thread of its own."""
    bounds = bounds or Bounds()
    worker = worker or Worker(seconds=bounds.seconds, most=bounds.questions)
    app = make_app(services, worker, bounds, ["127.0.0.1"])
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@dataclass(frozen=True)
class Open:
    """A domain whose model is served, in the working folder where it was trained."""

    service: Service
    address: str

    @property
    def api(self) -> str:
        return f"{self.address}/api/{self.service.domain}/{self.service.verb}"

    @property
    def page(self) -> str:
        return f"{self.address}/{self.service.domain}"


@pytest.fixture
def here(finished: Finished, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Open]:
    domain = finished.programs.domain
    if not has_module(domain, "serving"):
        pytest.skip(f"{domain} is not served")
    for name in ("data", "metrics", "params.yaml", "dvc.yaml", "src"):
        (tmp_path / name).symlink_to(finished.folder / name)
    monkeypatch.chdir(tmp_path)
    worker = Worker(seconds=PATIENCE, most=8)
    with torch_restored():
        service = worker.now(lambda: load(domain, "serving").open_service(use_model(domain, None)))
        with served(service, worker=worker) as address:
            yield Open(service, address)


def printed(domain: str, command: list[str]) -> Any:
    """What a command printed: JSON, or JSON lines."""
    result = CliRunner().invoke(load(domain, "cli").app, command)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    if domain == "documents":  # a line for each page
        return [json.loads(line) for line in result.stdout.splitlines()]
    return json.loads(result.stdout)


def ask(here: Open, question: dict[str, Any], file: tuple[str, bytes] | None) -> requests.Response:
    if file is None:
        return requests.post(here.api, json=question, timeout=PATIENCE)
    data = {name: str(value).lower() for name, value in question.items()}
    return requests.post(here.api, data=data, files={"file": file}, timeout=PATIENCE)


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


def test_answers_are_those_of_the_command_line(here: Open) -> None:
    domain = here.service.domain
    for case in CASES[domain]():
        expected = printed(domain, case.command)
        file = (case.file.name, case.file.read_bytes()) if case.file else None
        response = ask(here, case.question, file)
        assert response.status_code == 200, response.text
        found = response.json()
        for entry in found if case.question.get("explain") else []:
            entry["explained"] = base64.b64decode(entry["explained"].removeprefix("data:image/png;base64,"))
        for entry in expected if case.question.get("explain") else []:
            entry["explained"] = Path(entry["explained"]).read_bytes()
        assert found == expected, case.command


def test_the_page_shows_the_answer_and_the_verdict_on_the_model(here: Open) -> None:
    (reason, *_) = here.service.trained.reasons
    assert reason in text_of(requests.get(here.page).text)
    for case in CASES[here.service.domain]():
        data = {name: str(value) for name, value in case.question.items()}
        files = {"file": (case.file.name, case.file.read_bytes())} if case.file else None
        response = requests.post(here.page, data=data, files=files, timeout=PATIENCE)
        assert response.status_code == 200, text_of(response.text)
        seen = text_of(response.text)
        assert case.shown in seen, seen
        assert reason in seen
        assert ("data:image/png" in response.text) == bool(case.question.get("explain") or "grade" in case.question)


def test_names_and_texts_are_shown_as_they_are_and_end_nothing(here: Open) -> None:
    """In answers and in errors, on the page and as JSON."""
    for case in CASES[here.service.domain]()[-1:]:
        strange = {name: HOSTILE if isinstance(value, str) else value for name, value in case.question.items()}
        if case.file:
            name = HOSTILE.replace('"', "") + case.file.suffix
            responses = [
                requests.post(here.page, data={}, files={"file": (name, case.file.read_bytes())}, timeout=PATIENCE),
                requests.post(here.page, data={}, files={"file": (name, b"no image")}, timeout=PATIENCE),
                requests.post(here.page, data={}, files={"file": ("../../etc/passwd", b"no image")}, timeout=PATIENCE),
            ]
            assert "passwd is not the name of" in text_of(responses[-1].text)
        else:
            responses = [requests.post(here.page, data=strange, timeout=PATIENCE)]
        for response in responses:
            assert response.status_code in {200, 422}
            assert "\x1b" not in response.text
        if here.service.domain != "climb":
            assert "<script>alert(1)</script>" in text_of(responses[0].text)
            assert "{{7*7}}" in text_of(responses[0].text)
        assert not list(Path("/tmp").glob("winnow-serve-*"))


WRONG: dict[str, list[dict[str, Any]]] = {
    "articles": [{}, {"content": ""}, {"content": "x", "more": 1}, {"content": 5}, {"content": "  "}],
    "climb": [{}, {"grade": "9Z"}, *({"grade": "6C"} | each for each in ({"count": 0}, {"count": 11}, {"board": "1"}))],
    "playlists": [{}, {"tracks": "a", "k": 0}, {"name": "a" * 1001}, {"tracks": '{"playlists": [[], []]}'}],
    "sessions": [{}, {"likes": "a", "user": "b"}, {"user": "nobody"}, {"likes": "a", "k": 101}],
}  # fmt: skip


def test_a_question_that_is_wrong_gets_one_message(here: Open) -> None:
    takes_file = bool(here.service.accept)
    responses = [ask(here, wrong, None) for wrong in WRONG.get(here.service.domain, [])]
    responses += [requests.post(here.api, data=body) for body in (b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000)]
    if takes_file:
        picture = ("a.png", b"no image")
        responses += [
            requests.post(here.api, files={"file": file}, timeout=PATIENCE)
            for file in (picture, ("a.txt", b"text"), ("a.png", b""), ("png", b"x"), ("\0.png", b"x"))
        ]
        responses += [requests.post(here.api, data={"explain": "perhaps"}, files={"file": picture})]
        responses += [requests.post(here.api, files=[("file", picture), ("file", picture)])]
        responses += [requests.post(here.api, data={"file": "/etc/passwd"})]
        responses += [requests.post(here.api, data={"more": "1"}, files={"file": picture})]
    for response in responses:
        assert 400 <= response.status_code < 500, response.text
        told = response.json()
        assert told["error"]
        assert told["to_do"]
        assert "Traceback" not in response.text
        assert str(Path.cwd()) not in response.text
        assert "/tmp" not in response.text


class Asked(Question):
    """Of the service below."""

    title: str = Field("", description="a title")
    content: str = Field("", description="a text")


def plain(answer: Callable[[Asked, Upload | None, Clock], Any], *, accept: tuple[str, ...] = ()) -> Service:
    """A service that needs no model."""
    trained = TrainedModel(Path("model"), "PASS", ())
    return Service(
        domain="articles", verb="score", title="Ask", lead="Ask.", trained=trained, question=Asked,
        answer=answer, page=ROOT / "src/winnow/domains/articles/page.html", accept=accept, offered={},
    )  # fmt: skip


URL = "/api/articles/score"


def test_a_request_that_is_too_large_is_refused_and_not_kept() -> None:
    asked: list[Asked] = []
    small = Bounds(megabytes=0.01)
    with served(plain(lambda question, *_: asked.append(question)), bounds=small) as address:
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


def test_a_client_that_sends_slowly_keeps_nobody_waiting() -> None:
    bounds = Bounds(body_seconds=0.5, questions=1)
    with served(plain(lambda *_: "answer"), bounds=bounds) as address:
        host, port = address.removeprefix("http://").split(":")
        slow = http.client.HTTPConnection(host, int(port), timeout=10)
        slow.putrequest("POST", URL)
        slow.putheader("content-type", "application/json")
        slow.putheader("content-length", "1000")
        slow.endheaders(b'{"content":')
        started = time.monotonic()
        assert requests.post(address + URL, json={}).json() == "answer"
        assert time.monotonic() - started < 0.4, "a question waited for a slow client"
        response = slow.getresponse()
        assert response.status == 408
        assert "0.5 seconds" in json.loads(response.read())["error"]


def test_an_answer_that_takes_too_long_ends_and_too_many_questions_are_refused() -> None:
    stop, checked = Event(), Event()

    def endless(_: Asked, __: Upload | None, clock: Clock) -> None:
        while not stop.is_set():
            try:
                clock.check()
            except Exception:
                checked.set()
                raise
            time.sleep(0.01)

    bounds = Bounds(seconds=0.6, questions=2)
    with served(plain(endless), bounds=bounds, worker=Worker(seconds=0.6, most=2)) as address:
        answers: list[requests.Response] = []
        threads = [
            Thread(target=lambda: answers.append(requests.post(address + URL, json={}, timeout=20))) for _ in "ab"
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.25)
        busy = requests.post(address + URL, json={})
        assert busy.status_code == 503
        assert busy.headers["retry-after"]
        assert "2 questions" in busy.json()["error"]
        for thread in threads:
            thread.join()
        assert [answer.status_code for answer in answers] == [503, 503]
        assert "0.6 seconds" in answers[0].json()["error"]
        assert checked.wait(5), "the computation went on"
        assert requests.get(address + "/articles").status_code == 200  # pages do not wait for answers
        stop.set()


def test_a_fault_of_the_program_shows_no_traceback() -> None:
    def fault(*_: Any) -> None:
        raise KeyError("secret")

    with served(plain(fault)) as address:
        for response in (
            requests.post(address + URL, json={}),
            requests.post(address + "/articles", data={"content": "a"}),
        ):
            assert response.status_code == 500
            assert "secret" not in response.text
            assert "terminal" in response.text


def test_pages_need_no_other_host_and_no_script(here: Open) -> None:
    described = requests.get(f"{here.address}/openapi.json").json()
    assert described["paths"][f"/api/{here.service.domain}/{here.service.verb}"]["post"]["requestBody"]
    for path in ("/", "/api", f"/{here.service.domain}", "/static/style.css", "/none"):
        response = requests.get(here.address + path)
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert not re.search(r"https?://|<script|@import|url\(", response.text), path
    seen = text_of(requests.get(f"{here.address}/api").text)
    assert all(name in seen for name in here.service.question.model_fields)


def test_a_person_clicks_through_the_page(here: Open, browser: Browser) -> None:
    """Fills in the form, sends it, reads the answer: light and dark, on a phone and on a screen."""
    driver = browser.driver
    for case in CASES[here.service.domain]()[-1:]:
        for width, dark in ((390, True), (1400, False)):
            browser.look(width, dark=dark)
            browser.open(f"{here.address}/")
            driver.find_element("css selector", f"nav a[href='/{here.service.domain}']").click()
            assert driver.current_url == here.page
            if case.file:
                driver.find_element("id", "file").send_keys(str(case.file.resolve()))
            for name, value in case.question.items():
                field = driver.find_elements("id", name)
                if field and field[0].tag_name == "select":
                    field[0].find_element("xpath", f"option[. = '{value}']").click()
                elif field and field[0].get_attribute("type") == "checkbox":
                    field[0].click()
                elif field:
                    field[0].clear()
                    field[0].send_keys(str(value))
            driver.find_element("css selector", "form button").click()
            answer = WebDriverWait(driver, PATIENCE).until(lambda open_page: open_page.find_element("id", "answer"))
            assert case.shown in answer.text
            driver.find_element("css selector", "#answer summary").click()
            pictures = driver.find_elements("css selector", "#answer img")
            assert all(picture.get_property("naturalWidth") > 50 for picture in pictures)
            check_page(browser, here.address)
            assert len(driver.page_source) < 3_000_000


def test_the_pages_beside_those_of_domains_are_good(browser: Browser) -> None:
    with served(plain(lambda *_: "answer")) as address:
        for path in ("/", "/api", "/none"):
            browser.look(390, dark=True)
            browser.open(address + path)
            messages = browser.messages()
            assert (browser.violations(), browser.overflow()) == ([], 0)
            assert not messages or path == "/none"  # of which the console says that it is not found


def check_page(browser: Browser, address: str) -> None:
    """No finding of axe-core, no message, no request elsewhere, nothing beyond the window's edge."""
    assert browser.violations() == []
    assert browser.messages() == []
    assert browser.overflow() == 0
    assert all(request.startswith(address) for request in browser.requests())


def test_the_guide_tells_the_bounds() -> None:
    text, bounds = (ROOT / "docs/serve.md").read_text(), Bounds()
    for told in (f"{bounds.megabytes:g} MB", f"{bounds.seconds:g} seconds", f"{bounds.body_seconds:g} seconds"):
        assert told in text
    assert f"{bounds.questions} questions" in text


def test_another_name_for_this_machine_is_refused() -> None:
    """A page elsewhere whose name points here could read the answers otherwise."""
    with served(plain(lambda *_: "answer")) as address:
        assert requests.post(address + URL, json={}, headers={"host": "evil.example"}).status_code == 400
        assert requests.post(address + URL, json={}).status_code == 200


def test_no_path_of_a_request_is_opened(here: Open) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/..%2f..%2fetc/passwd", "//etc/passwd"):
        host, port = here.address.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        connection.request("GET", path)
        assert connection.getresponse().status == 404, path


def test_the_command_serves_the_models_of_this_checkout_until_ctrl_c(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if finished.programs.domain != "climb":
        return
    program = "from winnow.cli import main; main()"
    server = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--port", "0"],
        cwd=finished.folder, env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stderr is not None
    try:
        lines = []
        for line in server.stderr:
            lines.append(line)
            if line.startswith("serving"):
                break
        assert lines[-1].startswith("serving climb at http://127.0.0.1:"), lines
        assert any("sessions is not served" in line for line in lines)
        address = lines[-1].split(" at ")[1].split()[0]
        assert requests.get(address + "/climb").status_code == 200
        taken = subprocess.run(
            [sys.executable, "-c", program, "serve", "climb", "--port", address.rpartition(":")[2]],
            cwd=finished.folder, env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert taken.returncode == 1
        assert "cannot listen" in taken.stderr
        assert "Traceback" not in taken.stderr
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
    assert "Traceback" not in server.stderr.read()
    server.stderr.close()


def test_a_model_that_did_not_pass_says_so_and_one_that_passed_does_not() -> None:
    service = plain(lambda *_: None)
    assert service.warning == ""
    failed = replace(service, trained=TrainedModel(Path(), "FAIL", ("FAIL: worse than popularity",)))
    assert "FAIL: worse than popularity" in failed.warning
    unknown = replace(service, trained=TrainedModel(Path(), "not evaluated", ()))
    assert "not evaluated" in unknown.warning
