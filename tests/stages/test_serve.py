"""`winnow serve`: a real server on the loopback address, asked by real requests, gives the command line's answers."""

import base64
import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import requests
from PIL import Image
from selenium.webdriver.support.ui import WebDriverWait
from sklearn.datasets import load_sample_image
from typer.testing import CliRunner

from tests.browser import Browser
from tests.conftest import ROOT
from tests.served import served, text_of
from tests.stages.conftest import Finished, torch_restored
from winnow.cli.app import app
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.load import has_module, load
from winnow.domains.playlists.model.artifacts import read_artifacts
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.learn.folder import use_model
from winnow.serve.service import Service
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
    over = Image.fromarray(np.rot90(draw_page("letter", 900, np.random.default_rng(2)), 2))
    over.save("two.pdf", save_all=True, append_images=[other])
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
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save("noise.png")
    Image.fromarray(load_sample_image("china.jpg")[:300, :300]).save("scene.png")
    Path("out").mkdir(exist_ok=True)
    return [
        Case(["grade", "eye.png", "--json"], {}, Path("eye.png"), "eye.png"),
        Case(["grade", "eye.png", "--explain", "out", "--json"], {"explain": True}, Path("eye.png"), "eye.png"),
        Case(["grade", "letter.png", "--json"], {}, Path("letter.png"), "Ungradable: refer"),
        Case(["grade", "scene.png", "--json"], {}, Path("scene.png"), "Ungradable: refer"),
        Case(["grade", "noise.png", "--json"], {}, Path("noise.png"), "unlike the photographs that the model"),
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
    word = read_artifacts(Path("data/playlists/train/model")).words.words[0]
    return [
        Case(
            ["complete", "--tracks", "; ".join(names[:3]), "--k", "4", "--json"],
            {"tracks": "; ".join(names[:3]), "k": 4},
            shown="because of",
        ),
        Case(["complete", "--name", "no such word", "--json"], {"name": "no such word"}, shown="most popular"),
        Case(["complete", "--name", f"{word} xyzzy", "--json"], {"name": f"{word} xyzzy"}, shown=f"its name, {word}"),
    ]


def of_articles() -> list[Case]:
    line = {"id": "mine", "title": "A <b>bold</b> plan", "content": "The town builds a solar plant. " * 30}
    long = {"id": "long", "title": "", "content": "The town builds a solar plant. " * 80}
    for name, each in (("one", line), ("long", long)):
        Path(f"{name}.jsonl").write_text(json.dumps(each) + "\n")
    return [
        Case(["score", "one.jsonl"], line, shown="overall"),
        Case(["score", "long.jsonl"], long, shown="longer than the model reads"),
    ]


CASES: dict[str, Callable[[], list[Case]]] = {
    "articles": of_articles,
    "climb": of_climb,
    "documents": of_documents,
    "playlists": of_playlists,
    "retina": of_retina,
    "sessions": of_sessions,
}


@dataclass(frozen=True)
class Open:
    """A domain whose model is served, in the working folder where it was trained."""

    service: Service
    address: str
    cases: list[Case]
    folder: Path = field(default_factory=Path.cwd)

    @property
    def api(self) -> str:
        return f"{self.address}/api/{self.service.domain}/{self.service.verb}"

    @property
    def page(self) -> str:
        return f"{self.address}/{self.service.domain}"


def only(*domains: str) -> pytest.MarkDecorator:
    """Of a test that is about what these domains alone have."""
    return pytest.mark.parametrize("finished", domains, indirect=True, scope="session")


@pytest.fixture(scope="module")
def opened(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """One server a domain for all tests: opening a model takes longer than most of them."""
    domain = finished.programs.domain
    if not has_module(domain, "serving"):
        pytest.skip(f"{domain} is not served")
    folder = tmp_path_factory.mktemp(f"serve_{domain}")
    for name in ("data", "metrics", "params.yaml", "dvc.yaml", "src"):
        (folder / name).symlink_to(finished.folder / name)
    worker = Worker(seconds=PATIENCE, most=8)
    with pytest.MonkeyPatch.context() as patch, torch_restored():
        patch.chdir(folder)
        service = worker.now(lambda: load(domain, "serving").open_service(use_model(domain, None)))
        with served(service, worker=worker) as address:
            yield Open(service, address, CASES[domain]())


@pytest.fixture
def here(opened: Open, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Open:
    """The server, and the working folder in which the command line is asked the same."""
    monkeypatch.chdir(opened.folder)
    return opened


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


def test_answers_are_those_of_the_command_line(here: Open) -> None:
    domain = here.service.domain
    for case in here.cases:
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
    reason = here.service.trained.reasons[0].replace("`", "")  # marks of code, which a page has no use for
    assert reason in text_of(requests.get(here.page).text)
    for case in here.cases:
        data = {name: str(value) for name, value in case.question.items()}
        files = {"file": (case.file.name, case.file.read_bytes())} if case.file else None
        response = requests.post(here.page, data=data, files=files, timeout=PATIENCE)
        assert response.status_code == 200, text_of(response.text)
        seen = text_of(response.text)
        assert case.shown in seen, seen
        assert reason in seen
        assert ("data:image/png" in response.text) == bool(case.question.get("explain") or "grade" in case.question)


@only("articles")
def test_the_api_names_the_command_as_it_is_and_takes_text_as_files_do(here: Open) -> None:
    seen = text_of(requests.get(f"{here.address}/api").text)
    assert "winnow articles score" in seen
    assert "--json" not in seen
    line = here.cases[0].question
    as_text = {"text" if name == "content" else name: each for name, each in line.items()}
    assert ask(here, as_text, None).json() == ask(here, line, None).json()


@only("sessions", "playlists")
def test_a_title_that_is_nearly_one_is_answered_with_that_one(here: Open) -> None:
    """As the command line does: a person cannot look for it in the data of a model that was given away."""
    name = {"sessions": "likes", "playlists": "tracks"}[here.service.domain]
    known = here.service.offered["such_as"][0]
    near = known[:-1] + ("x" if known[-1] != "x" else "y")
    answer = requests.post(here.api, json={name: [near]}).json()
    (left_out,) = answer["left_out"]
    assert known in json.dumps(left_out, ensure_ascii=False), left_out


@only("sessions", "playlists")
def test_the_most_popular_names_are_offered(here: Open) -> None:
    domain = here.service.domain
    splits = pd.read_parquet(f"data/{domain}/split/splits.parquet").query("split == 'train'")
    item = {"sessions": "song", "playlists": "track"}[domain]
    titles = pd.read_parquet(f"data/{domain}/label/{item}s.parquet")["title"]
    counts = splits[f"{item}_index"].value_counts()
    for place, name in enumerate(here.service.offered["such_as"]):
        of_name = [counts.get(number, 0) for number in np.flatnonzero([name.endswith(title) for title in titles])]
        assert counts.iloc[place] in of_name, name
    assert len(set(here.service.offered["such_as"])) == 3


@only("sessions", "playlists")
def test_a_list_of_json_is_what_a_title_a_line_is(here: Open) -> None:
    """And no comma or semicolon within a title parts it."""
    name = {"sessions": "likes", "playlists": "tracks"}[here.service.domain]
    titles = ["one; two, three", "four"]
    as_list, as_lines = [requests.post(here.api, json={name: sent}).json() for sent in (titles, "\n".join(titles))]
    assert as_list == as_lines
    assert [each["typed"] for each in as_list["left_out"]] == titles
    answer = requests.post(here.api, json={name: ["a" * 20_001]})
    assert answer.status_code == 422
    assert "20,000 characters" in answer.text


def test_names_and_texts_are_shown_as_they_are_and_end_nothing(here: Open) -> None:
    """In answers and in errors, on the page and as JSON."""
    for case in here.cases[-1:]:
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


@only("sessions")
def test_it_is_told_whether_too_much_or_too_little_was_named(here: Open) -> None:
    assert "neither songs nor a user" in ask(here, {}, None).json()["error"]
    assert "songs and a user were named" in ask(here, {"likes": "a", "user": "b"}, None).json()["error"]


@only("documents", "retina")
def test_a_damaged_file_is_not_called_one_of_another_kind(here: Open) -> None:
    assert here.service.accept
    for name in ("a.png", *(["a.pdf"] if ".pdf" in here.service.accept else [])):
        assert "damaged" in ask(here, {}, (name, b"%PDF-1.4\n")).json()["to_do"]


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
    for case in here.cases[-1:]:
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


def check_page(browser: Browser, address: str) -> None:
    """No finding of axe-core, no message, no request elsewhere, nothing beyond the window's edge."""
    assert browser.violations() == []
    assert browser.messages() == []
    assert browser.overflow() == 0
    assert all(request.startswith(address) for request in browser.requests())


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
    program = "from winnow.cli.app import main; main()"
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
        monkeypatch.chdir(finished.folder)
        taken = CliRunner().invoke(app, ["serve", "climb", "--port", address.rpartition(":")[2]])
        assert "cannot listen" in str(taken.exception)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(20)
    assert "Traceback" not in server.stderr.read()
    server.stderr.close()
