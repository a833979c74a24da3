"""What stages print: where rows went, and what takes long."""

import time
from threading import Event

import pytest

from winnow.pipeline import console
from winnow.pipeline.console import rows_line


def test_rows_are_told_with_the_reasons_of_those_that_went() -> None:
    dropped = {"too_few_holds": 20, "no_start": 7, "unknown_grade": 0}
    told = rows_line(3000, {"kept": 2973, "dropped": 27}, {"dropped": dropped}, equal=False)
    assert told == "3,000 rows → 2,973 kept (20 too_few_holds, 7 no_start)"
    assert rows_line(10, {"kept": 10, "dropped": 0}, {"dropped": dict.fromkeys(dropped, 0)}, equal=False) == (
        "10 rows → 10 kept"
    )
    assert rows_line(10, {"kept": 7, "rejected": 2, "merged": 1}, {}, equal=False) == (
        "10 rows → 7 kept (2 rejected, 1 merged)"
    )
    assert rows_line(10, {"train": 7, "val": 2, "test": 1}, {}, equal=True) == "10 rows → 7 train, 2 val, 1 test"


def test_many_reasons_are_cut_to_the_most_frequent() -> None:
    reasons = {f"reason_{number}": number for number in range(1, 9)}
    told = rows_line(100, {"kept": 64, "dropped": 36}, {"dropped": reasons}, equal=False)
    assert "8 reason_8, 7 reason_7, 6 reason_6, 5 reason_5, 4 reason_4, 3 more reasons" in told


def test_what_takes_long_is_told_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "DELAY", 0.2)
    console.doing("outside of a stage")
    time.sleep(0.4)
    console.announce("evaluate@toy")
    console.doing("something short")
    console.doing("something long")
    for _ in range(4):  # the pieces of one thing
        time.sleep(0.1)
        console.doing("something long")
    console.doing("something else")
    console.announce("")
    time.sleep(0.4)
    (line,) = capsys.readouterr().err.splitlines()
    assert "evaluate@toy" in line
    assert "something long" in line


def test_what_takes_minutes_is_announced_again_until_something_else_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "DELAY", 0.05)
    monkeypatch.setattr(console, "AGAIN", 0.2)
    console.announce("evaluate@toy")
    console.doing("predicting")
    time.sleep(0.6)
    console.announce("")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert all("evaluate@toy  predicting …" in line for line in lines)
    time.sleep(0.4)
    assert capsys.readouterr().err == "", "it goes on after the end"


def test_what_was_just_about_to_be_told_is_not_told_again_after_its_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A timer that has fired cannot be cancelled any more: what it does must not start another."""
    telling, ended = Event(), Event()

    def slow(*lines: str) -> None:
        print(*lines)
        telling.set()
        ended.wait(5)

    monkeypatch.setattr(console, "DELAY", 0.01)
    monkeypatch.setattr(console, "AGAIN", 0.01)
    monkeypatch.setattr(console, "say", slow)
    console.announce("evaluate@toy")
    console.doing("predicting")
    assert telling.wait(5)
    console.announce("")
    ended.set()
    time.sleep(0.3)
    assert capsys.readouterr().out.splitlines() == ["evaluate@toy  predicting …"]
