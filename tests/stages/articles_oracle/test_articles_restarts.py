"""What one run leaves to the next: costs that nobody has seen an answer for, batches under way, edited filters."""

import json
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from stages.articles.label import label_batches
from tests.stages.articles_oracle.stub import (
    FILTER,
    KEY,
    PRICE,
    good,
    highest,
    open_labeller,
    oracle,
    settings,
    some_articles,
)
from tests.stages.articles_oracle.test_articles_batches import batched, interrupted
from tests.stages.oracle_server import COMPLETION_TOKENS, MUCH_THINKING, PROMPT_TOKENS, OracleServer
from tests.stages.programs import Programs
from winnow.domains.articles.cli import app
from winnow.domains.articles.definitions import Definition, Example
from winnow.domains.articles.rules.batches import SentBatch
from winnow.domains.articles.rules.brakes import BrakeError
from winnow.domains.articles.rules.gate import calibrate
from winnow.domains.articles.rules.labelling import Labeller, announce
from winnow.domains.articles.rules.oracles import OpenAIOracle, OracleError, Refused, Reply, Tokens, read_reply
from winnow.domains.articles.rules.outcomes import Article, Labelled, mean_of
from winnow.domains.articles.rules.questions import Question
from winnow.domains.articles.rules.samples import draw_samples
from winnow.domains.articles.rules.servers import ServerReply
from winnow.domains.articles.tables import Scores
from winnow.learn.interrupt import Interrupted
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.tables import write_table


def left(labeller: Labeller, articles: list[Any]) -> float:
    for each in articles:
        labeller.unanswered(each)
    return labeller.left_usd


def test_what_a_killed_run_had_under_way_is_in_the_next_ones_cap(here: Programs, definition: Definition) -> None:
    articles = some_articles(20)
    with OracleServer(good(definition)) as server:
        given = settings(server, concurrency=4, timeout=60.0)
        server.stop_after(6)
        child = os.fork()
        if child == 0:
            with open_labeller(definition, given, 100.0, 0) as labeller:
                labeller.label_all(articles)
            os._exit(0)
        while len(server.requests) < 10:  # six are answered, four are not
            time.sleep(0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        server.go_on()
        server.rest()
        for _ in range(2):
            with open_labeller(definition, given, 1.0, 0) as labeller:
                each = highest(labeller)
                assert left(labeller, articles) == pytest.approx(1.0 - 6 * PRICE - 4 * each, rel=1e-3)
                assert left(labeller, articles) == pytest.approx(1.0 - 6 * PRICE - 4 * each, rel=1e-3), "once"
        cap = 6 * PRICE + 4.5 * each
        with (
            open_labeller(definition, given, cap, 0) as labeller,
            pytest.raises(WinnowError, match="without an answer"),
        ):
            left(labeller, articles)  # as what is announced does
            labeller.label_all(articles)
        assert len(server.requests) == 10
        with open_labeller(definition, given, 1.0, 0) as labeller:
            assert all(found.scores for found in labeller.label_all(articles))
            assert labeller.use.lost_usd == pytest.approx(4 * each, rel=1e-3), "an answer does not unpay a lost one"
            assert labeller.use.cost_usd == pytest.approx(20 * PRICE)
        with open_labeller(definition, given, 1.0, 0) as labeller:
            assert left(labeller, some_articles(40)[20:]) == 1.0, "what is not asked about costs this run nothing"


def test_time_outs_stay_counted_and_refusals_cost_nothing(here: Programs, definition: Definition) -> None:
    articles = some_articles(3)
    with OracleServer(good(definition), {"time-out": 1.0}) as server:
        given = settings(server, timeout=0.3, retries=0, concurrency=1)
        with open_labeller(definition, given, 1.0, 0) as labeller:
            labeller.label_all(articles[:1], is_batch=True)
            assert labeller.use.lost_usd == pytest.approx(highest(labeller), rel=1e-3)
        server.failures = {"429": 0.4, "400": 0.6}
        with open_labeller(definition, given, 1.0, 0) as labeller:
            labeller.label_all(articles[1:], is_batch=True)
        with open_labeller(definition, given, 1.0, 0) as labeller:
            assert left(labeller, articles) == pytest.approx(1.0 - highest(labeller), rel=1e-3)


def test_a_gateway_that_did_not_wait_may_have_been_paid(monkeypatch: pytest.MonkeyPatch, here: Programs) -> None:
    monkeypatch.setenv("WINNOW_ORACLE_KEY", KEY)
    given = here.section("label").oracle.model_copy(update={"provider": "openai"})
    found = [OpenAIOracle(given).failure(ServerReply(status, b"")) for status in (503, 504, 524)]
    assert [each.maybe_paid for each in found] == [False, True, True]  # type: ignore[attr-defined]


def test_a_batch_that_is_given_up_may_have_been_paid(here: Programs, definition: Definition) -> None:
    articles = some_articles(10)
    with OracleServer(good(definition)) as server:
        server.batches.looks = 10**6
        with open_labeller(definition, batched(server), 1.0, 0) as labeller:
            half = highest(labeller) / 2
            labeller.oracle.exchange = interrupted(labeller.oracle.exchange)  # type: ignore[attr-defined]
            with pytest.raises(Interrupted):
                labeller.label_all(articles, is_batch=True)
        with open_labeller(definition, settings(server), 1.0, 0) as labeller:
            assert left(labeller, articles) == 1.0, "a batch on record will be read"
            assert labeller.give_up_batches() == 1
        for _ in range(2):
            with open_labeller(definition, settings(server), 1.0, 0) as labeller:
                assert left(labeller, articles) == pytest.approx(1.0 - 10 * half, rel=1e-3)


def test_of_a_batch_that_was_read_an_answer_without_choices_alone_may_be_lost(
    here: Programs, definition: Definition
) -> None:
    articles = some_articles(30)
    with OracleServer(good(definition), {"no-choices": 0.1, "429": 0.05}) as server:
        with open_labeller(definition, batched(server, retries=0), 1.0, 0) as labeller:
            half = highest(labeller) / 2
            labeller.label_all(articles, is_batch=True)
        assert server.failed["no-choices"]
        assert server.failed["429"]
        lost = server.failed["no-choices"] * half
        assert labeller.use.lost_usd == pytest.approx(lost, rel=1e-3)
        with open_labeller(definition, settings(server), 1.0, 0) as labeller:
            paid = server.failed["ok"] * PRICE / 2
            assert left(labeller, articles) == pytest.approx(1.0 - paid - lost, rel=1e-3)


@pytest.mark.parametrize("keeps_a_list", [True, False])
def test_a_batch_that_nobody_can_find_may_have_been_paid_where_no_list_is_kept(
    keeps_a_list: bool, here: Programs, definition: Definition
) -> None:
    articles = some_articles(10)
    with OracleServer(good(definition)) as server:
        answer = server.batches._answer

        def unlisted(command: str, path: str, data: bytes) -> Any:
            if (command, path) == ("POST", "/batches"):
                return 500, {"error": {"message": "out for lunch"}}
            is_list = (command, path) == ("GET", "/batches")
            return (404, {}) if is_list and not keeps_a_list else answer(command, path, data)

        server.batches._answer = unlisted  # type: ignore[method-assign]
        with open_labeller(definition, batched(server, retries=0), 1.0, 0) as labeller, pytest.raises(OracleError):
            labeller.label_all(articles, is_batch=True)
        for _ in range(2):
            with open_labeller(definition, batched(server, retries=0), 1.0, 0) as labeller:
                labeller.collect()
                lost = 0.0 if keeps_a_list else 10 * highest(labeller) / 2
                assert left(labeller, articles) == pytest.approx(1.0 - lost, rel=1e-3)


def test_calibration_first_reads_a_batch_under_way(here: Programs, definition: Definition) -> None:
    """An edit of the prefilter draws other samples, whose questions may be in the batch: paid once, and counted."""
    kept = here.table("filter/articles.parquet")
    texts = here.table("ingest/articles.parquet").set_index("article_id")
    calibration = here.section("label").calibration
    sampled = [name for each in draw_samples(kept, calibration) for name in each["article_id"]]
    articles = [Article(name, *texts.loc[name, ["title", "content"]]) for name in sampled]
    with OracleServer(good(definition)) as server:
        server.batches.looks = 10**6
        with open_labeller(definition, batched(server), 100.0, 0) as labeller:
            labeller.oracle.exchange = interrupted(labeller.oracle.exchange)  # type: ignore[attr-defined]
            with pytest.raises(Interrupted):
                labeller.label_all(articles, is_batch=True)
        server.batches.looks = 0
        with open_labeller(definition, batched(server), 100.0, 0) as labeller:
            calibrate(labeller, kept, texts, here.table("ingest/scores.parquet").iloc[:0], calibration, FILTER)
        batched_usd, asked = len(sampled) * PRICE / 2, len(server.requests) - len(sampled)
        assert server.batches.sizes == [len(sampled)]
        assert asked == 2 * 4 * calibration.probes, "the probes alone are asked"
        assert labeller.use.cost_usd == pytest.approx(batched_usd + asked * PRICE)


def test_a_server_that_keeps_to_no_limit_is_known_to_the_next_run(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition), {"thinking-long": 1.0}) as server:
        given = settings(server, max_tokens=100, thinking_tokens=0)
        for cap in (100.0, 50.0):
            with open_labeller(definition, given, cap, 0) as labeller:
                before = highest(labeller)
                left(labeller, some_articles(5))
                known = highest(labeller)
                labeller.label_all(some_articles(5))
                real = (PROMPT_TOKENS * 0.3 + COMPLETION_TOKENS * 2.5 + MUCH_THINKING * 3.5) / 1e6
                assert before < real / 10
                assert highest(labeller) == pytest.approx(real, rel=0.01)
        assert known == pytest.approx(real, rel=0.01), "before anything is asked"


def test_the_command_line_gives_up_batches_or_retires_malformed_answers(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition), {"sorry": 1.0}) as server:
        content = yaml.safe_load(Path("params.yaml").read_text())
        Path("params.yaml").unlink()
        content["articles"]["label"] = here.section("label", oracle=oracle(server)).model_dump()
        Path("params.yaml").write_text(yaml.safe_dump(content))

        def on_record() -> tuple[int, int]:
            with open_labeller(definition, settings(server), 1.0, 0) as labeller:
                return len(labeller.kept.batches(labeller.asker)), len(list(labeller.kept.by(labeller.asker)))

        with open_labeller(definition, settings(server, parse_retries=0), 1.0, 0) as labeller:
            labeller.label_all(some_articles(3))
            labeller.kept.begin_batch(SentBatch("mine", labeller.asker, "batch-7", {"key": 1}))
        found = [on_record()]
        for what in ("batches", "malformed"):
            assert CliRunner().invoke(app, ["label", "--retry", what]).exit_code == 0
            found.append(on_record())
        assert found == [(1, 3), (0, 3), (0, 0)]


@pytest.mark.parametrize(
    ("usage", "believed"),
    [
        ({"prompt_tokens": 10**11, "completion_tokens": 40}, False),
        ({"prompt_tokens": 1000, "completion_tokens": 10**11}, False),
        ({"prompt_tokens": 1000, "completion_tokens": 40, "total_tokens": 10**11}, False),
        ({"prompt_tokens": 1000, "completion_tokens": 60_000}, True),
        ({"prompt_tokens": 9000, "completion_tokens": 40}, True),
    ],
)
def test_a_count_that_no_request_can_have_taken_is_none(usage: dict[str, int], believed: bool) -> None:
    body = json.dumps({"choices": [{"message": {"content": "{}"}}], "usage": usage}).encode()
    most = Tokens(2000, 0, 1000, 500)
    found = read_reply(body, most)
    assert found.estimated is not believed
    assert found.tokens == (Tokens(usage["prompt_tokens"], 0, usage["completion_tokens"], 0) if believed else most)


def test_thinking_that_nobody_counts_is_estimated_too() -> None:
    body = json.dumps({"choices": [{"message": {"content": "{}"}}]}).encode()
    assert read_reply(body, Tokens(2000, 0, 1000, 500)).tokens.thinking_tokens == 500


def test_an_absurd_count_ends_neither_this_run_nor_the_next(here: Programs, definition: Definition) -> None:
    articles = some_articles(30)
    with OracleServer(good(definition)) as server:
        completion = server.completion
        server.completion = lambda *given: {  # type: ignore[method-assign]
            **completion(*given),
            "usage": {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": 10**11},
        }
        for _ in range(2):
            with open_labeller(definition, settings(server), 1.0, 0) as labeller:
                assert all(each.scores for each in labeller.label_all(articles))
                assert labeller.use.estimated == 30
        assert len(server.requests) == 30


def test_ctrl_c_does_not_wait_for_an_upload(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    articles, hold = some_articles(10), threading.Event()
    with OracleServer(good(definition)) as server:
        answer = server.batches._answer

        def slow(command: str, path: str, data: bytes) -> Any:
            if path == "/files":
                os.kill(os.getpid(), signal.SIGINT)
                hold.wait(20)
            return answer(command, path, data)

        server.batches._answer = slow  # type: ignore[method-assign]
        with open_labeller(definition, batched(server), 1.0, 0) as labeller:
            began = time.monotonic()
            with pytest.raises(Interrupted):
                labeller.label_all(articles, is_batch=True)
            assert time.monotonic() - began < 5
            assert labeller.kept.batches(labeller.asker) == []
        hold.set()
        server.batches._answer = answer  # type: ignore[method-assign]
        assert "the batch was not sent" in capfd.readouterr().err
        with open_labeller(definition, batched(server), 1.0, 0) as labeller:
            assert left(labeller, articles) == 1.0, "nothing of it was paid"
            assert all(each.scores for each in labeller.label_all(articles, is_batch=True))
        assert server.batches.sizes == [10]


@pytest.mark.parametrize("key", ["hunter2", "k-7", "none"])
def test_a_short_key_is_not_shown_and_spoils_no_word(key: str, here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_ORACLE_KEY", key)
    given = here.section("label").oracle.model_copy(update={"provider": "openai"})
    echo = json.dumps({"error": {"message": f"wrong key: Bearer {key}. {key}theless, nonesuch"}}).encode()
    found = OpenAIOracle(given).failure(ServerReply(400, echo))
    assert isinstance(found, Refused)
    assert str(found) == f"status 400: wrong key: Bearer …. {key}theless, nonesuch"
    body = json.dumps({"choices": [{"message": {"content": f'{{"agency": 7}} {key}'}}]}).encode()
    assert OpenAIOracle(given).read(body, 10).text == '{"agency": 7} …'


@pytest.mark.parametrize("key", ["7", "1000", "0.5", "x", "null"])
def test_what_is_obviously_no_key_is_refused(key: str, here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_ORACLE_KEY", key)
    with pytest.raises(OracleError, match="which is no key"):
        OpenAIOracle(here.section("label").oracle.model_copy(update={"provider": "openai"}))


def test_what_resembles_an_example_is_in_no_sample(here: Programs, definition: Definition) -> None:
    """Though the corpus has the example in other words, or its twin was dropped as a near-duplicate."""
    kept = here.table("filter/articles.parquet")
    texts = here.table("ingest/articles.parquet").set_index("article_id")
    human = here.table("ingest/scores.parquet").iloc[:0]
    params = here.section("label")
    every = params.calibration.model_copy(update={"on_topic": 500, "off_topic": 500, "edge": 500})
    twin = kept["article_id"].iloc[0]
    content = f"{texts.loc[twin, 'content']} They said so."
    example = Example(content=content, scores=dict.fromkeys(definition.names, 5.0))
    seen = []
    for examples in ([], [example]):
        changed = definition.model_copy(update={"examples": examples})
        with open_labeller(changed, params.oracle, 1.0, 0) as labeller:
            outcome = calibrate(labeller, kept, texts, human, every, FILTER)
        samples = [each for each in (outcome.calibration, outcome.validation) if each is not None]
        seen.append({article for each in samples for article in each.overall["article_id"]})
    assert seen[0] - seen[1] == {twin}


def test_scores_that_people_gave_to_every_article_need_no_key(
    here: Programs, definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path("data").resolve()
    Path("data").unlink()
    shutil.copytree(data, "data")
    monkeypatch.delenv("WINNOW_ORACLE_KEY")
    ids = here.table("ingest/articles.parquet")["article_id"]
    rows = [(name, each, 3.0) for name in sorted(ids) for each in definition.names]
    table = pd.DataFrame(rows, columns=["article_id", "dimension", "score"])
    write_table(Path("data/articles/ingest/scores.parquet"), table, Scores)
    prices = {**here.section("label").oracle.prices.model_dump(), "model": "paid"}
    here.run("label", oracle={"provider": "openai", "model": "paid", "prices": prices}, use_scores=True)
    assert set(here.table("label/labels.parquet")["origin"]) == {"source"}


def test_of_near_duplicates_the_one_that_people_scored_is_in_the_sample(here: Programs) -> None:
    kept = here.table("filter/articles.parquet").sort_values("article_id", ignore_index=True)
    first, scored = kept[kept["topic"] == "on"]["article_id"].iloc[:2]
    kept["duplicate_group"] = kept["duplicate_group"].mask(kept["article_id"] == scored, first)
    samples = draw_samples(kept, here.section("label").calibration, {scored})
    names = {name for each in samples for name in each["article_id"]}
    assert scored in names
    assert first not in names


def test_three_answers_an_article_through_kills_batches_and_a_retry_are_each_paid_once(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    """Directly and killed twice, then by the Batch API, then directly again, with malformed answers asked anew."""
    articles, width = some_articles(60), 6
    failures = {"sorry": 0.04, "400": 0.02, "429": 0.03, "no-json": 0.03, "no-choices": 0.02}
    with OracleServer(good(definition), failures, latency=0.005) as server:
        given = {"answers": 3, "retries": 6, "concurrency": width}
        with open_labeller(definition, settings(server, **given), 100.0, 0) as labeller:
            announce(labeller, ((each, "plain") for each in articles))
        announced = float(capfd.readouterr().err.split("at most $")[1].split(";")[0])
        for enough in (40, 90):
            child = os.fork()
            if child == 0:
                with open_labeller(definition, settings(server, **given), 100.0, 0) as labeller:
                    labeller.label_all(articles)
                os._exit(0)
            while len(server.requests) < enough:
                time.sleep(0.005)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        server.rest()
        sent = [sum(server.delivered.values())]
        for kind in (batched, settings):
            with open_labeller(definition, kind(server, **given), 100.0, 0) as labeller:
                found = labeller.label_all(articles, is_batch=True)
                use = labeller.use
            sent.append(sum(server.delivered.values()))
        killed, batch, end = sent
        paid = (killed + end - batch) * PRICE + (batch - killed) * PRICE / 2
        assert batch > killed
        assert end - 2 * width <= use.requests <= end, "but for what was under way at the kills"
        assert use.cost_usd <= paid * 1.0001
        assert paid <= min(use.cost_usd + use.lost_usd, announced)
        asked = len(server.requests)
        malformed = [each for each in found if each.outcome == "malformed"]
        assert malformed
        server.failures = {}
        with open_labeller(definition, settings(server, **given), 100.0, 0) as labeller:
            labeller.retire_malformed()
            again = labeller.label_all(articles, is_batch=True)
            assert labeller.use.cost_usd == pytest.approx(use.cost_usd + (len(server.requests) - asked) * PRICE)
        assert all(each.scores for each in again)
        for before, after in zip(found, again, strict=True):
            if not before.failures and not before.refusal:
                assert after == before, "a good answer is not asked again"


def test_both_samples_are_in_the_repeats_and_their_worst_articles_in_the_report(
    here: Programs, definition: Definition
) -> None:
    kept = here.table("filter/articles.parquet")
    texts = here.table("ingest/articles.parquet").set_index("article_id")
    human = here.table("ingest/scores.parquet")
    params = here.section("label")
    with OracleServer(good(definition)) as server, open_labeller(definition, settings(server), 100.0, 0) as labeller:
        outcome = calibrate(labeller, kept, texts, human, params.calibration, FILTER)
    assert outcome.validation is not None
    sections = outcome.report.split("## Validation sample")
    for sample, section in zip((outcome.calibration, outcome.validation), sections, strict=True):
        assert set(outcome.repeats["article_id"]) & set(sample.overall["article_id"])
        scores = sample.overall.groupby("topic")["overall"]
        for title, worst in (("highest scores", scores.max()["off"]), ("lowest scores", scores.min()["on"])):
            listed = section.split(f"{title}:\n\n")[1]
            assert listed.startswith(f"- {worst:.2f} – ")


def test_the_share_without_scores_is_that_of_the_articles_asked_about(here: Programs, definition: Definition) -> None:
    params = here.section("label", max_batches=1, batch_size=20, max_unlabelled_share=0.05)
    with OracleServer(good(definition)) as server:
        for refused, stops in ((("a3", "a7"), True), (("a3",), False)):
            with open_labeller(definition, settings(server), 100.0, 0) as labeller:
                ask, numbers = labeller.oracle.ask, {f"Article {name[1:]}:" for name in refused}

                def moody(asked: Question, ask: Any = ask, numbers: set[str] = numbers) -> Reply:
                    if any(each in asked.text for each in numbers):
                        raise Refused("no")
                    return ask(asked)

                labeller.oracle.ask = moody  # type: ignore[method-assign, assignment]
                told = pytest.raises(WinnowError, match="2 of 20 articles") if stops else nullcontext()
                with told:
                    label_batches(labeller, some_articles(100), params)


def test_the_brake_shows_what_the_server_answers(here: Programs, definition: Definition) -> None:
    with (
        OracleServer(good(definition), {"sorry": 1.0}) as server,
        open_labeller(definition, settings(server), 100.0, 0) as labeller,
        pytest.raises(BrakeError, match="I am sorry, but I cannot score this"),
    ):
        labeller.label_all(some_articles(200), is_batch=True)


def test_nothing_is_sent_that_the_store_cannot_put_on_record(here: Programs, definition: Definition) -> None:
    """A request without a record would be paid, and missing in the next run's cap."""
    with OracleServer(good(definition)) as server:
        with open_labeller(definition, settings(server), 1.0, 0) as labeller:
            saving = labeller.kept.saving

            @contextmanager
            def full() -> Iterator[None]:
                with saving():
                    yield
                    raise sqlite3.OperationalError("database or disk is full")

            labeller.kept.saving = full  # type: ignore[method-assign]
            with pytest.raises(sqlite3.OperationalError, match="disk is full"):
                labeller.label_all(some_articles(5))
        assert server.requests == []


def test_one_of_several_answers_that_was_malformed_at_first_stays_counted() -> None:
    asked_again = Labelled("a", {"agency": 2.0}, retired="no JSON")
    for answers in ([asked_again, Labelled("a", {"agency": 4.0})], [Labelled("a", {"agency": 4.0}), asked_again]):
        found = mean_of(answers)
        assert found.scores == {"agency": 3.0}
        assert found.first_failure_ever == "no JSON"
