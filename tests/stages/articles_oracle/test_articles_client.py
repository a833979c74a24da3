"""The paying client: failing servers, kills, costs and the cap, the key."""

import json
import os
import random
import re
import signal
import sqlite3
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.stages.articles_oracle.stub import KEY, PRICE, good, open_labeller, oracle, settings, some_articles
from tests.stages.oracle_server import COMPLETION_TOKENS, THINKING_TOKENS, OracleServer
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Prices
from winnow.domains.articles.rules.labelling import announce
from winnow.domains.articles.rules.oracles import NoAnswer, OpenAIOracle, OracleError, Reply, Tokens
from winnow.domains.articles.rules.outcomes import Article, Use, told_of
from winnow.domains.articles.rules.questions import MalformedAnswer, parse_answer
from winnow.pipeline.errors import WinnowError


def test_a_failing_server_loses_nothing_and_is_paid_exactly(here: Programs, definition: Definition) -> None:
    kinds = ("429", "500", "time-out", "closed", "no-json", "wrong-schema", "slow")
    failures = dict.fromkeys(kinds, 0.05)
    count = 1000
    with OracleServer(good(definition), failures) as server:
        given = settings(server, timeout=2.0, retries=8, parse_retries=7, concurrency=48)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            found = list(labeller.label_all(some_articles(count)))
            use = labeller.use
        assert all(server.failed[kind] > 0 for kind in kinds), server.failed
        delivered, tokens = dict(server.delivered), server.tokens
        with open_labeller(definition, given, 100.0, 0) as labeller:
            again = list(labeller.label_all(some_articles(count)))
            assert labeller.use.paid_now_usd == 0
            assert (labeller.use.malformed, labeller.use.cost_usd) == (use.malformed, use.cost_usd)
        assert dict(server.delivered) == delivered, "what was answered is not asked again"
    assert [each.article_id for each in found] == [f"a{n}" for n in range(count)]
    assert [each.scores for each in found] == [each.scores for each in again]
    for each, article in zip(found, some_articles(count), strict=True):
        assert each.scores == pytest.approx(json.loads(good(definition)(article.content, definition.names)))
        assert delivered[article.content] == 1 + len(each.failures), "one answer, and one for each malformed one"
    assert use.malformed == server.failed["no-json"] + server.failed["wrong-schema"]
    assert use.tokens == tokens
    assert use.cost_usd == (tokens[0] * 0.3 + tokens[2] * 2.5 + tokens[3] * 3.5) / 1e6, "to the last digit"
    assert all(again - sent >= 0.19 for sent, again in server.retries), "Retry-After is honoured"
    assert server.retries


def test_killed_ten_times_it_pays_for_nothing_twice(here: Programs, definition: Definition) -> None:
    articles, concurrency = some_articles(400), 4
    rng = random.Random(5)
    store = Path(".winnow/kept/articles/answers.sqlite")
    with OracleServer(good(definition)) as server:
        given = settings(server, concurrency=concurrency, timeout=60.0)

        def label() -> dict[str, Any]:
            with open_labeller(definition, given, 100.0, 0) as labeller:
                return {each.article_id: each.scores for each in labeller.label_all(articles)}

        kills = 0
        for turn in range(10):
            server.stop_after(len(server.requests) + 20 + rng.randrange(15))
            before, delivered = answered(store), dict(server.delivered)
            lost = len(delivered) - before
            assert lost <= concurrency * kills, "only what was under way at a kill is lost"
            child = os.fork()
            if child == 0:
                label()
                os._exit(0)
            server.await_stop()
            time.sleep(0.01 * turn)
            os.kill(child, signal.SIGKILL)
            kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
            server.go_on()
            server.rest()
            again = [text for text in delivered if server.delivered[text] > delivered[text]]
            assert len(again) <= lost, "only what was lost is asked again"
            assert answered(store) >= before
        assert kills == 10
        found = label()
    assert len(found) == len(articles)
    assert all(scores is not None for scores in found.values())
    twice = sum(number - 1 for number in server.delivered.values())
    assert twice <= concurrency * kills
    assert answered(store) == len(articles)


def answered(store: Path) -> int:
    if not store.exists():
        return 0
    file = sqlite3.connect(store)
    try:
        return int(file.execute("SELECT count(*) FROM replies").fetchone()[0])
    except sqlite3.OperationalError:  # killed before the table was made
        return 0
    finally:
        file.close()


def test_a_request_holds_the_prompt_the_article_the_settings_and_the_schema(
    here: Programs, definition: Definition
) -> None:
    with OracleServer(good(definition), latency=0.02) as server:
        given = settings(server, model="judge-1", temperature=0.5, max_tokens=321, max_characters=100, concurrency=3)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            list(labeller.label_all([Article("a", "A title", "word " * 40)]))
            asked = server.body
            list(labeller.label_all(some_articles(40)))
    assert server.most == 3, "as many at a time as concurrency says"
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("judge-1", 0.5, 321)
    system, user = asked["messages"]
    assert (system["role"], user["role"]) == ("system", "user")
    assert system["content"].startswith(definition.prompt)
    for each in definition.config.dimensions:
        assert f"{each.name}: {each.description}" in system["content"]
    mark = user["content"].rpartition("\n")[2]
    assert user["content"].endswith(f"\n{mark}\nA title\n\n{('word ' * 40)[:100]}\n{mark}"), "the rest is cut off"
    schema = asked["response_format"]["json_schema"]
    assert (asked["response_format"]["type"], schema["strict"]) == ("json_schema", True)
    number = {"type": "number", "minimum": 0, "maximum": 10}
    assert schema["schema"] == {
        "type": "object",
        "properties": dict.fromkeys(definition.names, number),
        "required": definition.names,
        "additionalProperties": False,
    }


def test_costs_never_pass_the_cap(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        cap = 20.5 * PRICE
        given = settings(server, max_tokens=COMPLETION_TOKENS + THINKING_TOKENS, concurrency=4)
        with (
            open_labeller(definition, given, cap, 0) as labeller,
            pytest.raises(WinnowError, match="max_cost_usd"),
        ):
            list(labeller.label_all(some_articles(100)))
        assert 0 < sum(server.delivered.values()) * PRICE <= cap
        paid = sum(server.delivered.values())
        with (
            open_labeller(definition, given, cap, 0) as labeller,
            pytest.raises(WinnowError, match="max_cost_usd"),
        ):
            list(labeller.label_all(some_articles(100)))
        assert sum(server.delivered.values()) == paid, "started again, it does not spend as much once more"
        with open_labeller(definition, given, cap, 0) as labeller:
            found = labeller.label_all(some_articles(100), is_batch=True)
            assert labeller.use.cost_usd == pytest.approx(sum(server.delivered.values()) * PRICE)
            assert labeller.use.cost_usd <= cap
    assert [each.outcome for each in found].count("scored") == paid, "a batch keeps what fitted"
    assert {each.outcome for each in found} == {"scored", "not reached"}


def test_the_batch_is_not_begun_when_it_would_cost_too_much(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        with pytest.raises(WinnowError, match=r"articles would cost about \$0\.\d+, and \$0\.\d+ of max_cost"):
            here.run("label", oracle=oracle(server, max_tokens=100), max_cost_usd=90 * PRICE)
        assert len(server.requests) < 90


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("401", "status 401: 401: who are you. Bearer ….*check the key"),
        ("403", "status 403: 403: who are you. Bearer ….*check the key"),
        ("closed", r"no answer.*tried 3 times"),
        ("cut", r"not JSON, or cut off.*tried 3 times"),
    ],
)
def test_a_server_that_only_refuses(failure: str, message: str, here: Programs, definition: Definition) -> None:
    with (
        OracleServer(good(definition), {failure: 1.0}) as server,
        open_labeller(definition, settings(server, retries=2), 100.0, 0) as labeller,
        pytest.raises(OracleError) as caught,
    ):
        list(labeller.label_all(some_articles(3)))
    text = " ".join(str(caught.value).split())
    assert re.search(message, text), text
    assert KEY not in text


def test_a_request_waits_no_longer_and_is_sent_no_more_often_than_the_settings_say(
    here: Programs, definition: Definition
) -> None:
    for failures, latency, given in (({"500": 1.0}, 0.0, {}), ({}, 0.5, {"timeout": 0.1})):
        with (
            OracleServer(good(definition), failures, latency=latency) as server,
            open_labeller(definition, settings(server, retries=2, **given), 100.0, 0) as labeller,
        ):
            (found,) = labeller.label_all(some_articles(1))
            lost = labeller.use.lost_usd
        assert found.outcome == "refused"
        assert len(server.requests) == 3
        assert (lost > 0) == bool(latency), "what the provider may have worked on counts against the cap"


def test_the_key_comes_from_the_environment_and_goes_nowhere(
    here: Programs, definition: Definition, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with OracleServer(good(definition)) as server:
        here.run("label", oracle=oracle(server))
        assert server.keys == {f"Bearer {KEY}"}
    for file in Path().rglob("*"):
        if file.is_file():
            assert KEY.encode() not in file.read_bytes(), file
    assert KEY not in "".join(capfd.readouterr())
    monkeypatch.delenv("WINNOW_ORACLE_KEY")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    elsewhere = {"provider": "openai", "base_url": "https://api.example.org/v1", "prices": {"model": "keywords"}}
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(OracleError, match="no key for https://api.example.org/v1"):  # OpenAI's key is OpenAI's
        here.run("label", oracle=elsewhere)
    for odd in ("sk-4711\n", "sk 4711", "sk-ä"):
        monkeypatch.setenv("WINNOW_ORACLE_KEY", odd)
        with pytest.raises(OracleError, match="the key holds a blank, a line break") as caught:
            here.run("label", oracle=elsewhere)
        assert odd not in str(caught.value)
    for url, message in (
        ("http://[::1/v1", "invalid IPv6 address"),
        ("https://user:secret@api.example.org/v1", "an address with a user"),
        ("https://api.example.org/v1?key=secret", "an address with a user"),
        ("http://api.example.org/v1", "plain http beyond this machine"),
    ):
        with pytest.raises(ValueError, match=message):
            here.run("label", oracle={**elsewhere, "base_url": url})
    assert here.section("label", oracle={**elsewhere, "base_url": "http://a.org/v1", "allow_plain_http": True})
    with pytest.raises(ValueError, match="prices are those of gemini-2.5-flash, and model is other"):
        here.section("label", oracle={**elsewhere, "model": "other", "prices": {"model": "gemini-2.5-flash"}})
    monkeypatch.delenv("WINNOW_ORACLE_KEY")
    assert OpenAIOracle(here.section("label", oracle={**elsewhere, "base_url": "https://api.openai.com/v1"}).oracle).key


def test_an_answer_without_a_count_of_tokens_is_paid_by_its_characters(here: Programs, definition: Definition) -> None:
    with (
        OracleServer(good(definition), {"no-usage": 1.0}) as server,
        open_labeller(definition, settings(server, retries=0), 100.0, 0) as labeller,
    ):
        (found,) = labeller.label_all(some_articles(1))
        assert found.scores is not None
        prompt, cached, completion, thinking = labeller.use.tokens
        assert labeller.use.estimated == 1
        assert prompt >= len((definition.prompt + some_articles(1)[0].content).encode()), "no token is less than a byte"
        assert completion > 20
        assert cached == thinking == 0
        assert labeller.use.cost_usd == (prompt * 0.3 + completion * 2.5) / 1e6


@pytest.mark.parametrize("body", ["{}", "[]", "null", '{"choices": []}', '{"choices": [null]}', "{", '{"error": 7}'])
def test_a_reply_without_an_answer_is_asked_for_again_and_never_kept(
    body: str, here: Programs, definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OracleServer(good(definition)) as server:
        given = settings(server, retries=2)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            send = server._send
            monkeypatch.setattr(server, "_send", lambda handler, *_, **__: sent(handler, body.encode()))
            (found,) = labeller.label_all(some_articles(1))
        assert (found.outcome, found.failures) == ("refused", ())
        assert len(server.requests) == 3
        monkeypatch.setattr(server, "_send", send)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            (found,) = labeller.label_all(some_articles(1))
        assert found.outcome == "scored"


def sent(handler: BaseHTTPRequestHandler, data: bytes) -> None:
    """A reply that does not say that it is JSON, as of some servers."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def test_an_answer_in_parts_or_with_endless_numbers_breaks_the_schema(here: Programs, definition: Definition) -> None:
    for text in ("9" * 400, "9" * 5000, "NaN", "1e999"):
        answer = json.dumps(dict.fromkeys(definition.names, 1)).replace("1", text, 1)
        with pytest.raises(MalformedAnswer) as caught:
            parse_answer(answer, definition)
        assert len(str(caught.value)) <= 200
    with (
        OracleServer(good(definition), {"parts": 1.0}) as server,
        open_labeller(definition, settings(server, parse_retries=0), 100.0, 0) as labeller,
    ):
        (found,) = labeller.label_all(some_articles(1))
    assert (found.scores, found.failures) == (None, ("no JSON",))


def test_an_article_without_a_readable_answer_has_no_score(here: Programs, definition: Definition) -> None:
    with (
        OracleServer(good(definition), {"no-json": 1.0}) as server,
        open_labeller(definition, settings(server, parse_retries=1), 100.0, 0) as labeller,
    ):
        found = list(labeller.label_all(some_articles(3)))
    assert [each.scores for each in found] == [None] * 3
    assert all(each.failures == ("no JSON", "no JSON") for each in found)


def test_costs_do_not_depend_on_the_order_of_answers() -> None:
    replies = [Reply(str(n), Tokens(n, n // 2, 7 * n % 11, 13 * n % 17), batched=n % 3 == 0) for n in range(1, 400)]
    prices = Prices(model="m", prompt=0.1, cached=0.05, completion=0.7, thinking=1.3, batch_share=0.3)
    costs = set()
    for seed in range(20):
        use = Use(prices)
        for reply in random.Random(seed).sample(replies, len(replies)):
            use.add(reply, now=True, malformed=False)
        costs |= {use.cost_usd, use.paid_now_usd}
    assert len(costs) == 1
    assert Use(prices).cost_usd == Use(prices).paid_now_usd == 0
    expected = sum(
        (0.3 if each.batched else 1.0) * ((fresh - cached) * 0.1 + cached * 0.05 + said * 0.7 + thought * 1.3)
        for each in replies
        for fresh, cached, said, thought in [each.tokens]
    )
    assert costs.pop() == pytest.approx(expected / 1e6)


@pytest.mark.parametrize(
    ("failure", "maybe_paid", "unreachable"),
    [
        (TimeoutError("too late"), True, False),
        (ConnectionRefusedError("refused"), False, True),
        (ConnectionResetError("reset"), True, True),
        (ValueError("no reply of HTTP"), True, False),
    ],
)
def test_what_no_answer_may_have_cost_and_whether_the_server_was_there(
    here: Programs,
    failure: Exception,
    maybe_paid: bool,
    unreachable: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A refused connection has sent nothing."""
    monkeypatch.setenv("WINNOW_ORACLE_KEY", KEY)
    asked = OpenAIOracle(here.section("label").oracle.model_copy(update={"provider": "openai"}))

    def fail(*_: Any, **__: Any) -> Any:
        raise failure

    monkeypatch.setattr(asked.server, "exchange", fail)
    with pytest.raises(NoAnswer) as caught:
        asked.exchange("POST", "/chat/completions", json={})
    assert (caught.value.maybe_paid, caught.value.unreachable) == (maybe_paid, unreachable)


def test_a_run_that_goes_on_tells_how_many_answers_were_kept(here: Programs, definition: Definition) -> None:
    told = []
    with OracleServer(good(definition)) as server:
        for count in (3, 5):
            with open_labeller(definition, settings(server), 1.0, 0) as labeller:
                told.append(told_of(labeller.label_all(some_articles(count)), labeller.use))
    assert "kept" not in told[0]
    assert "5 answers, of which 0 malformed and 3 kept from earlier runs" in told[1]


def test_a_probe_about_an_article_that_is_known_is_announced(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    articles = some_articles(3)
    with OracleServer(good(definition)) as server, open_labeller(definition, settings(server), 1.0, 0) as labeller:
        labeller.label_all(articles)
        assert announce(labeller, [(each, "plain") for each in articles]) == 0
        assert capfd.readouterr().err == ""
        assert announce(labeller, [(each, "doubled") for each in articles]) == 3
        assert capfd.readouterr().err.startswith("3 questions to ask: about")


def test_a_part_of_the_articles_is_a_fair_sample_of_them(here: Programs, definition: Definition) -> None:
    ids = sorted(here.table("filter/articles.parquet")["article_id"])
    with OracleServer(good(definition)) as server:
        here.run("label", oracle=oracle(server), max_batches=1, batch_size=40)
        labelled = set(here.table("label/labels.parquet")["article_id"])
    assert len(labelled) == 40
    ranks = [number for number, name in enumerate(ids) if name in labelled]
    assert ranks[-1] > 0.9 * len(ids), "not the first of them"
    assert abs(sum(ranks) / 40 / len(ids) - 0.5) < 0.15
