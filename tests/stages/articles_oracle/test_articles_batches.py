"""The Batch API: half the price, nothing paid twice, whatever the server, the line or the machine does meanwhile."""

import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.stages.articles_oracle.stub import PRICE, good, open_labeller, oracle, settings, some_articles
from tests.stages.oracle_server import OracleServer
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Oracle
from winnow.domains.articles.rules.brakes import BrakeError
from winnow.domains.articles.rules.files import label_file
from winnow.domains.articles.rules.labelling import announce
from winnow.domains.articles.rules.oracles import OracleError
from winnow.domains.articles.rules.outcomes import Article
from winnow.learn.interrupt import Interrupted

KINDS = ("400", "length", "sorry", "429", "500", "no-json", "200-error", "no-choices", "usage-text", "no-usage",
         "thinking-beside", "fenced")  # fmt: skip


def batched(server: OracleServer, **changes: Any) -> Oracle:
    api = {"enabled": True, "max_requests": 1000, "poll_interval": 0.01, **changes.pop("batch_api", {})}
    return settings(server, batch_api=api, **changes)


def test_a_batch_gives_the_same_labels_for_half_the_price(here: Programs, definition: Definition) -> None:
    articles = some_articles(300)
    with OracleServer(good(definition)) as server:
        with open_labeller(definition, batched(server, batch_api={"max_requests": 120}), 100.0, 0) as labeller:
            found = labeller.label_all(articles, is_batch=True)
            use = labeller.use
        assert server.batches.sizes == [120, 120, 60]
        assert use.requests == len(server.requests) == 300
        assert use.cost_usd == use.paid_now_usd == pytest.approx(300 * PRICE / 2)
        expected = [json.loads(good(definition)(each.content, definition.names)) for each in articles]
        assert [each.scores for each in found] == [pytest.approx(each) for each in expected]
        assert server.body["response_format"]["json_schema"]["strict"] is True
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            assert labeller.label_all(articles, is_batch=True) == found
            assert labeller.use.cost_usd == pytest.approx(300 * PRICE / 2), "what was paid at half stays half"
            assert labeller.use.paid_now_usd == 0
            labeller.label_all(some_articles(310)[300:], is_batch=True)
            assert labeller.use.cost_usd == pytest.approx((150 + 10) * PRICE), "asked directly, the whole price"
        assert server.batches.sizes == [120, 120, 60]


def test_every_failure_of_a_request_in_a_batch_is_its_own(here: Programs, definition: Definition) -> None:
    articles = some_articles(600)
    with OracleServer(good(definition), dict.fromkeys(KINDS, 0.008)) as server:
        server.batches.expired_share = 0.1
        given = batched(server, retries=8, parse_retries=2)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            found = labeller.label_all(articles, is_batch=True)
            use = labeller.use
        assert all(server.failed[kind] for kind in KINDS), server.failed
        assert use.requests == sum(server.delivered.values()), "each answer is stored once, and each is paid"
        outcomes = {each.article_id: each.outcome for each in found}
        assert list(outcomes) == [each.article_id for each in articles]
        for each, article in zip(found, articles, strict=True):
            if each.scores is not None:
                assert each.scores == pytest.approx(json.loads(good(definition)(article.content, definition.names)))
            elif each.outcome == "refused":
                assert each.reason == "refused: status 400: 400: no"
            else:
                assert "no JSON" in each.reason or "cut off" in each.reason
        assert list(outcomes.values()).count("refused") == server.failed["400"]
        asked = len(server.requests)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            again = labeller.label_all(articles, is_batch=True)
            assert labeller.use.cost_usd == use.cost_usd
        assert [each.scores for each in again] == [each.scores for each in found]
        assert len(server.requests) == asked + server.failed["400"] / 2, "refusals alone are asked about again"


@pytest.mark.parametrize("moment", ["made", "waiting", "answered"])
def test_a_batch_whose_run_was_killed_is_read_and_not_sent_again(
    moment: str, here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    articles = some_articles(50)
    with OracleServer(good(definition)) as server:
        server.batches.looks = 10**6
        server.batches.dies_after_creation = moment == "made"
        server.batches.lists = moment != "waiting"  # what the server has named is found without
        given = batched(server, retries=0, timeout=5.0)
        child = os.fork()
        if child == 0:
            try:
                with open_labeller(definition, given, 100.0, 0) as labeller:
                    labeller.label_all(articles, is_batch=True)
            finally:
                os._exit(0)
        end = time.monotonic() + 30
        while not server.batches.sizes or (moment == "waiting" and not server.batches._looked):
            assert time.monotonic() < end, "no batch was made"
            time.sleep(0.01)
        if moment == "answered":
            server.batches.looks = 0
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        server.batches.looks = 0
        with open_labeller(definition, given, 100.0, 0) as labeller:
            labeller.collect()
            capfd.readouterr()
            assert announce(labeller, ((each, "plain") for each in articles), is_batch=True) == 0
            found = labeller.label_all(articles, is_batch=True)
            assert labeller.use.cost_usd == pytest.approx(50 * PRICE / 2)
        assert all(each.scores is not None for each in found)
        assert server.batches.sizes == [50]
        assert set(server.delivered.values()) == {1}


def test_a_batch_that_the_server_never_heard_of_is_sent_again(here: Programs, definition: Definition) -> None:
    articles = some_articles(10)
    with OracleServer(good(definition)) as server:
        server.batches.deaf = 1
        given = batched(server, retries=0)
        with open_labeller(definition, given, 100.0, 0) as labeller, pytest.raises(OracleError, match="out for lunch"):
            labeller.label_all(articles, is_batch=True)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(articles, is_batch=True))
            assert labeller.kept.batches(labeller.asker) == []
        assert server.batches.sizes == [10]


def test_looks_at_a_batch_outlast_a_server_that_is_out(here: Programs, definition: Definition) -> None:
    articles = some_articles(10)
    with OracleServer(good(definition)) as server:
        server.batches.looks = 3
        with open_labeller(definition, batched(server, retries=5), 100.0, 0) as labeller:
            exchange = labeller.oracle.exchange  # type: ignore[attr-defined]

            def created(method: str, path: str, **given: Any) -> Any:
                made = exchange(method, path, **given)
                server.batches.deaf = 4 * ((method, path) == ("POST", "/batches")) or server.batches.deaf
                return made

            labeller.oracle.exchange = created  # type: ignore[attr-defined]
            found = labeller.label_all(articles, is_batch=True)
        assert all(each.scores for each in found)
        assert server.batches.sizes == [10]


def test_ctrl_c_leaves_a_batch_to_the_server_and_the_next_run_reads_it(here: Programs, definition: Definition) -> None:
    articles = some_articles(10)
    with OracleServer(good(definition)) as server:
        server.batches.looks = 10**6
        given = batched(server)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            labeller.oracle.exchange = interrupted(labeller.oracle.exchange)  # type: ignore[attr-defined]
            with pytest.raises(Interrupted):
                labeller.label_all(articles, is_batch=True)
        server.batches.looks = 0
        with open_labeller(definition, given, 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(articles, is_batch=True))
        assert server.batches.sizes == [10]


def interrupted(ask: Any) -> Any:
    def asked(method: str, path: str, **given: Any) -> Any:
        if (method, path[:9]) == ("GET", "/batches/"):
            os.kill(os.getpid(), signal.SIGINT)
        return ask(method, path, **given)

    return asked


def test_a_batch_that_is_refused_whole_says_why_and_is_paid_nothing(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        server.batches.refuses = "model stub is not for batches"
        given = batched(server)
        for _ in range(2):
            with (
                open_labeller(definition, given, 100.0, 0) as labeller,
                pytest.raises(OracleError, match="model stub is not for batches"),
            ):
                labeller.label_all(some_articles(10), is_batch=True)
            assert labeller.use.cost_usd == labeller.use.lost_usd == 0
        assert server.batches.sizes == [10, 10]
        server.batches.refuses = ""
        with open_labeller(definition, given, 100.0, 0) as labeller:
            assert all(each.scores for each in labeller.label_all(some_articles(10), is_batch=True))


def test_a_batch_holds_what_the_cap_covers_at_the_price_of_batches(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    articles = some_articles(100)
    with OracleServer(good(definition)) as server:
        given = batched(server, max_tokens=100)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            (asked,) = labeller.unanswered(articles[0])
            highest = labeller.highest_cost(asked, is_batch=True)
            assert highest == pytest.approx(labeller.highest_cost(asked) / 2)
            announce(labeller, ((each, "plain") for each in articles), is_batch=True)
            tries = (given.retries + 1) * (given.parse_retries + 1)
            most = re.search(r"at most \$([\d.]+)", capfd.readouterr().err)
            assert most
            assert 0 <= float(most[1]) - 100 * highest * tries < 0.01, "rounded up"
        cap = 10.5 * highest
        with open_labeller(definition, given, cap, 0) as labeller:
            found = labeller.label_all(articles, is_batch=True)
            assert labeller.use.cost_usd <= cap
        outcomes = [each.outcome for each in found]
        assert server.batches.sizes[0] == 10, "as many as may cost no more than the cap"
        assert outcomes.count("scored") == sum(server.batches.sizes) == sum(server.delivered.values()) > 10
        assert set(outcomes) == {"scored", "not reached"}
        assert sum(server.delivered.values()) * PRICE / 2 <= cap


def test_what_a_batch_will_cost_is_guessed_at_the_price_of_batches(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    articles = some_articles(70)
    with OracleServer(good(definition)) as server, open_labeller(definition, batched(server), 100.0, 0) as labeller:
        labeller.label_all(articles[:10])  # as calibration asks
        labeller.max_cost_usd = labeller.use.cost_usd + 20.5 * PRICE / 2
        assert announce(labeller, ((each, "plain") for each in articles), is_batch=True) == 20
        assert f"about ${60 * PRICE / 2:.2f}, at most" in capfd.readouterr().err


def test_the_brake_stops_between_batches(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition), {"sorry": 1.0}) as server:
        given = batched(server, batch_api={"max_requests": 100}, parse_retries=0)
        with open_labeller(definition, given, 100.0, 0) as labeller, pytest.raises(BrakeError, match="no JSON"):
            labeller.label_all(some_articles(1000), is_batch=True)
        assert server.batches.sizes == [100]
        assert labeller.use.requests == 100, "what was answered is counted and stored"


def test_a_file_is_labelled_in_batches_and_one_under_way_is_read_first(here: Programs, definition: Definition) -> None:
    rows = [{"id": each.article_id, "content": each.content} for each in some_articles(30)]
    Path("more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def label(given: Oracle, cap: float = 100.0) -> dict[str, Any]:
        with open_labeller(definition, given, cap, 0) as labeller:
            return label_file(labeller, Path("more.jsonl"), Path("out.jsonl"), batch_size=10, max_batches=0, seed=1)

    with OracleServer(good(definition)) as server:
        with open_labeller(definition, batched(server), 100.0, 0) as labeller:
            labeller.oracle.exchange = interrupted(labeller.oracle.exchange)  # type: ignore[attr-defined]
            server.batches.looks = 10**6
            with pytest.raises(Interrupted):
                labeller.label_all(some_articles(20), is_batch=True)
        server.batches.looks = 0
        told = label(settings(server))  # without batches, too: what was sent is paid
        assert (told["labelled"], told["complete"]) == (30, True)
        assert server.batches.sizes == [20]
        assert set(server.delivered.values()) == {1}
        assert told["cost_usd"] == pytest.approx((20 / 2 + 10) * PRICE)
        rows += [{"id": f"b{n}", "content": f"Story {n}: they rebuilt the bridge."} for n in range(8)]
        Path("more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        told = label(batched(server))
        assert (told["labelled"], server.batches.sizes) == (38, [20, 8])
        assert told["paid_now_usd"] == pytest.approx(4 * PRICE)


def test_the_stage_calibrates_directly_and_labels_in_batches(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        here.run("label", oracle=oracle(server))
        direct = Path("data/articles/label/scores.parquet").read_bytes()
        whole = here.table("label/oracle.parquet").iloc[0]
        asked = len(server.requests)
    with OracleServer(good(definition)) as server:
        api = {"enabled": True, "poll_interval": 0.01}
        told = here.run("label", oracle=oracle(server, batch_api=api))
        half = here.table("label/oracle.parquet").iloc[0]
        assert len(server.requests) == asked
        (size,) = server.batches.sizes
        assert size > asked / 2
        assert half["cost_usd"] == pytest.approx(whole["cost_usd"] - size * PRICE / 2)
        assert told["oracle"]["requests"] == asked
    assert Path("data/articles/label/scores.parquet").read_bytes() == direct


def test_an_answer_of_a_batch_without_a_count_is_paid_by_its_own_prompt(here: Programs, definition: Definition) -> None:
    articles = [Article("short", "", "A school."), Article("long", "", "They rebuilt it. " * 200)]
    with (
        OracleServer(good(definition), {"no-usage": 1.0}) as server,
        open_labeller(definition, batched(server), 100.0, 0) as labeller,
    ):
        labeller.label_all(articles, is_batch=True)
        assert labeller.use.estimated == 2
        short, long = sorted(reply["tokens"][0] for _, reply in labeller.kept.by(labeller.asker))
        assert short >= len(definition.prompt.encode()), "no token is less than a byte"
        assert long - short == len(articles[1].content) - len(articles[0].content)
