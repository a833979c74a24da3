"""What stops a labelling from outside, a full disk and a second Ctrl+C, loses at most what was under way."""

import os
import resource
import signal
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stages.articles_oracle.stub import PRICE, good, open_labeller, settings, some_articles
from tests.stages.oracle_server import COMPLETION_TOKENS, MUCH_THINKING, PROMPT_TOKENS, OracleServer
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.rules import batch_runs
from winnow.domains.articles.rules.labelling import Labeller, announce
from winnow.domains.articles.rules.oracles import NoAnswer, Reply
from winnow.domains.articles.rules.questions import Question
from winnow.pipeline.errors import WinnowError

STORE = Path(".winnow/kept/articles/answers.sqlite")


def test_a_second_ctrl_c_does_not_wait_for_the_server(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        server.stop_after(4)
        child = os.fork()
        if child == 0:
            try:
                with open_labeller(definition, settings(server, concurrency=3, timeout=60.0), 100.0, 0) as labeller:
                    labeller.label_all(some_articles(50))
            except BaseException:
                os._exit(9)
        server.await_stop()
        time.sleep(0.2)
        os.kill(child, signal.SIGINT)
        time.sleep(0.5)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "the first one waits for what is under way"
        os.kill(child, signal.SIGINT)
        end = time.monotonic() + 10
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                pytest.fail("it still waits")
            time.sleep(0.02)
        assert os.waitstatus_to_exitcode(ended[1]) == 9
        server.go_on()
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(some_articles(50)))
        assert sum(server.delivered.values()) <= 50 + 3


def test_a_full_disk_is_told_and_what_was_stored_stays(here: Programs, definition: Definition) -> None:
    articles = some_articles(300)
    with OracleServer(good(definition), latency=0.01) as server:
        given = settings(server, concurrency=8)
        with (
            pytest.raises(WinnowError, match="paid answers cannot be stored: .*full") as caught,
            open_labeller(definition, given, 100.0, 0) as labeller,
        ):
            fill_up(labeller)
            labeller.label_all(articles)
        assert "free some space" in caught.value.fix
        asked = len(server.requests)
        with sqlite3.connect(STORE) as file:
            (stored,) = file.execute("SELECT count(*) FROM replies").fetchone()
        assert 20 < stored < asked < 300
        assert asked - stored <= 2 * 8, "no further request is sent when one cannot be stored"
        with open_labeller(definition, given, 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(articles))
        assert len(server.requests) - asked == 300 - stored


def fill_up(labeller: Labeller) -> None:
    """Leave room for some tens of answers."""
    file = labeller.kept._file
    (pages,) = file.execute("PRAGMA page_count").fetchone()
    file.execute(f"PRAGMA max_page_count = {pages + 10}")


def test_a_disk_that_is_full_from_the_start_is_no_damage(here: Programs, definition: Definition) -> None:
    articles = some_articles(20)
    with OracleServer(good(definition)) as server:
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            labeller.label_all(articles)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
                with open_labeller(definition, settings(server), 100.0, 0) as labeller:
                    labeller.label_all(articles)
            except WinnowError as error:
                code = 0 if "cannot be stored" in error.what else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert not STORE.with_name("answers.sqlite.damaged").exists()
        asked = len(server.requests)
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(articles))
        assert len(server.requests) == asked == 20


def test_answers_that_arrive_together_raise_what_is_reserved_once(here: Programs, definition: Definition) -> None:
    """Of a server that does not keep to max_tokens; eight of its answers are under way before the first one tells."""
    articles = some_articles(24)
    real = (PROMPT_TOKENS * 0.3 + COMPLETION_TOKENS * 2.5 + MUCH_THINKING * 3.5) / 1e6
    with OracleServer(good(definition), {"thinking-long": 1.0}, latency=0.05) as server:
        given = settings(server, max_tokens=100, thinking_tokens=0, concurrency=8)
        with open_labeller(definition, given, 30 * real, 0) as labeller:
            found = labeller.label_all(articles, is_batch=True)
            highest = labeller.highest_cost(*labeller.unanswered(some_articles(25)[24]))
        assert highest == pytest.approx(real, rel=0.01)
        assert [each.outcome for each in found] == ["scored"] * 24


def test_what_is_announced_is_rounded_up_and_what_is_left_down(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    with OracleServer(good(definition)) as server:
        given = settings(server, retries=0, parse_retries=0, max_tokens=100)
        with open_labeller(definition, given, 0.0199, 0) as labeller:
            (article,) = some_articles(1)
            (asked,) = labeller.unanswered(article)
            assert 0 < labeller.highest_cost(asked) < 0.005
            announce(labeller, [(article, "plain")])
            assert "at most $0.01; $0.01 left" in capfd.readouterr().err
            announce(labeller, [(each, "plain") for each in some_articles(30)])
            told = capfd.readouterr().err
            assert float(told.split("at most $")[1].split(";")[0]) >= 30 * labeller.highest_cost(asked)


def test_an_error_in_reading_an_answer_loses_no_other(here: Programs, definition: Definition) -> None:
    """Whatever raises between a reply and its storing: those under way are stored, and counted."""
    articles = some_articles(40)
    with OracleServer(good(definition), latency=0.02) as server:
        with (
            open_labeller(definition, settings(server, concurrency=8), 100.0, 0) as labeller,
            pytest.raises(RecursionError),
        ):
            decide = labeller.decide

            def odd(task: object, reply: object) -> object:
                if len(server.requests) > 20:
                    raise RecursionError
                return decide(task, reply)  # type: ignore[arg-type]

            labeller.decide = odd  # type: ignore[method-assign, assignment]
            labeller.label_all(articles)
        server.rest()
        with sqlite3.connect(STORE) as file:
            (stored,) = file.execute("SELECT count(*) FROM replies").fetchone()
        assert stored == sum(server.delivered.values()) < 40


def test_a_question_is_reserved_at_what_its_own_prompt_costs(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server, open_labeller(definition, settings(server), 1.0, 0) as labeller:
        short, long = (labeller.highest_cost(Question("", "x" * size, {}, "", "plain")) for size in (1000, 2000))
        assert long - short == pytest.approx(1000 * 0.3 / 1e6), "a byte is at most one token of the prompt"
        assert short > PRICE


def test_a_second_labelling_waits_for_the_first_and_pays_for_nothing_twice(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    articles = some_articles(30)
    with OracleServer(good(definition)) as server:
        given = settings(server, concurrency=2, timeout=60.0)
        server.stop_after(10)
        child = os.fork()
        if child == 0:
            with open_labeller(definition, given, 100.0, 0) as labeller:
                labeller.label_all(articles)
            os._exit(0)
        server.await_stop()
        threading.Timer(0.5, server.go_on).start()
        with open_labeller(definition, given, 100.0, 0) as labeller:
            assert os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT) is not None, "the first has ended"
            assert sum(server.delivered.values()) == 30
            assert all(each.scores for each in labeller.label_all(articles))
            assert labeller.use.paid_now_usd == 0
        os.waitpid(child, 0)
        assert "another process is asking the oracle" in capfd.readouterr().err
        assert set(server.delivered.values()) == {1}


def test_a_batch_that_a_full_disk_cannot_take_is_read_again_and_counted_once(
    here: Programs, definition: Definition
) -> None:
    articles = some_articles(200)
    with OracleServer(good(definition)) as server:
        given = settings(server, batch_api={"enabled": True, "max_requests": 500, "poll_interval": 0.01})
        with (
            pytest.raises(WinnowError, match="paid answers cannot be stored: .*full"),
            open_labeller(definition, given, 100.0, 0) as labeller,
            pytest.MonkeyPatch.context() as patch,
        ):
            collect = batch_runs.collect

            def full(*given: Any) -> Any:
                found = collect(*given)
                fill_up(labeller)
                return found

            patch.setattr(batch_runs, "collect", full)
            labeller.label_all(articles, is_batch=True)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(articles, is_batch=True))
            assert labeller.use.cost_usd == pytest.approx(200 * PRICE / 2)
        assert server.batches.sizes == [200]


def test_every_try_after_an_answer_has_its_own_retries(here: Programs, definition: Definition) -> None:
    """What is announced counts them so, too."""
    told: list[Any] = [NoAnswer("busy", pause=0.0), "no JSON", NoAnswer("busy", pause=0.0), None]
    with (
        OracleServer(good(definition)) as server,
        open_labeller(definition, settings(server, retries=1, parse_retries=1), 1.0, 0) as labeller,
    ):
        ask = labeller.oracle.ask

        def moody(asked: Question) -> Reply:
            now = told.pop(0)
            if isinstance(now, NoAnswer):
                raise now
            return ask(asked) if now is None else ask(asked)._replace(text=now)

        labeller.oracle.ask = moody  # type: ignore[method-assign, assignment]
        (found,) = labeller.label_all(some_articles(1), is_batch=True)
    assert (found.outcome, told) == ("scored", [])
