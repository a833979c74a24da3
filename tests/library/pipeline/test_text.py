"""Text of strangers cannot move the cursor, forge a line, or carry a key out."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winnow.compare.markdown import plain
from winnow.pipeline.console import say
from winnow.pipeline.errors import ParamsError, SourceError
from winnow.pipeline.text import shown

HOSTILE = {
    "clears the screen": "\x1b[2J\x1b[1;1H",
    "rings": "\x07",
    "begins the line again": "\r",
    "forges a line": "\nerror: all is well",
    "a C1 control": "\x9b31m",
    "reads from right to left": "\u202egnp.exe",
    "isolates": "\u2066x\u2069",
    "separates lines": "\u2028",
    "half a pair": "\udcff",
    "is nothing": "\x00",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_terminal_would_obey_is_shown_as_python_writes_it(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    line = shown(f"a{text}b")
    assert len(line.splitlines()) == 1
    assert not any(unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in line)
    line.encode()
    say(f"a{text}b")
    assert capsys.readouterr().err == f"{line}\n"
    error = SourceError(f"{text} is no file", where=f"in {text}", fix=f"remove {text}")
    assert [each[:9] for each in str(error).splitlines()][1:] == ["  where: ", "  to do: "]
    assert "\x1b" not in plain(text)


@given(st.text())
def test_any_text_is_one_line_and_what_is_harmless_stays(text: str) -> None:
    line = shown(text)
    assert "\n" not in line
    assert len(line.splitlines()) <= 1
    if text.isprintable() and len(text) <= 1000:
        assert line == text


def test_languages_and_emoji_stay_as_they_are() -> None:
    for text in ("naïve – 渋谷", "می‌خواهم", "👩‍💻", "क्‍ष"):
        assert shown(text) == text


def test_what_is_long_keeps_both_ends() -> None:
    line = shown("/start/" + "x" * 100_000 + "/end.png")
    assert len(line) <= 1000
    assert line.startswith("/start/")
    assert line.endswith("/end.png")
    error = ParamsError([f"line {number}" for number in range(1000)])
    assert len(str(error).splitlines()) == 31
    assert str(error).endswith("… and 970 more")


@pytest.mark.parametrize("name", ["WINNOW_ORACLE_KEY", "OPENAI_API_KEY", "HF_TOKEN", "AWS_SECRET", "DB_PASSWORD"])
def test_keys_of_the_environment_are_never_shown(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, "sk-1234567890")
    monkeypatch.setenv("SHORT_KEY", "a")
    say("the server said: Authorization: Bearer sk-1234567890 is unknown")
    assert capsys.readouterr().err == "the server said: Authorization: Bearer … is unknown\n"
    assert "sk-" not in str(SourceError("echo sk-1234567890", where="sk-1234567890", fix="sk-1234567890"))


def test_a_key_is_masked_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "sk-12345678")
    assert shown("sk-12345678, and again: sk-12345678") == "…, and again: …"


def test_nothing_is_left_of_a_key_that_begins_with_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "sk-12345678")
    monkeypatch.setenv("B_TOKEN", "sk-12345678-live-90")
    assert shown("sk-12345678-live-90 sk-12345678") == "… …"


def test_titles_are_no_pictures_and_no_links_in_markdown() -> None:
    line = plain("![x](http://evil/a.png) <img src=x> [a](b) www.evil.org @all")
    assert "![" not in line
    assert not re.search(r"(?<!\\)\]\(", line), "a bracket that is not escaped"
    assert "<img" not in line
    assert "http:/" not in line
    assert "www." not in line
