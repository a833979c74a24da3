"""What one article, one reply or one batch does never stands in the way of the others, today or at the next start."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.stages import oracle_server
from tests.stages.articles_oracle.stub import FILTER, KEY, good, open_labeller, oracle, settings, some_articles
from tests.stages.oracle_server import OracleServer, lot
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition, Example
from winnow.domains.articles.params import Label, Oracle
from winnow.domains.articles.rules import labelling
from winnow.domains.articles.rules.batches import SentBatch
from winnow.domains.articles.rules.brakes import WINDOW, Brake
from winnow.domains.articles.rules.files import label_file
from winnow.domains.articles.rules.gate import calibrate
from winnow.domains.articles.rules.labelling import announce
from winnow.domains.articles.rules.oracles import OracleError, Tokens, read_reply
from winnow.domains.articles.rules.outcomes import Article
from winnow.domains.articles.rules.questions import parse_answer

HALF = "\ud83d"
"""Half of a surrogate pair: JSON can escape it, and UTF-8 cannot hold it."""
SOURCE, OUT = Path("more.jsonl"), Path("out.jsonl")


def write(rows: Sequence[dict[str, Any]]) -> None:
    SOURCE.write_text("".join(json.dumps(row) + "\n" for row in rows))


def label(definition: Definition, given: Oracle, *, batches: int = 0, size: int = 10) -> dict[str, Any]:
    with open_labeller(definition, given, 100.0, 0) as labeller:
        return label_file(labeller, SOURCE, OUT, batch_size=size, max_batches=batches, seed=1)


def rows_of(articles: Sequence[Article]) -> list[dict[str, Any]]:
    return [{"id": each.article_id, "content": each.content} for each in articles]


def fails(server: OracleServer, kind: str, articles: Sequence[Article]) -> None:
    """Have the server answer so to these articles, always."""
    bad = {each.content for each in articles}
    server._drawn = lambda article, _: kind if article in bad else "ok"  # type: ignore[method-assign]


def test_an_answer_that_no_file_can_hold_is_malformed_and_loses_nothing(here: Programs, definition: Definition) -> None:
    answer = good(definition)

    def odd(article: str, names: Sequence[str]) -> str:
        return f"Sorry {HALF}" if lot(article) < 0.02 else answer(article, names)

    with OracleServer(answer) as server:
        here.run("label", oracle=oracle(server), max_batches=1, batch_size=5)
        server.answer = odd
        here.run("label", oracle=oracle(server))
        left = here.table("label/unlabelled.parquet")
        assert set(left["answer"]) == {"Sorry ?"}
        write([{"id": "a", "content": "A school.", "by": f"Ann {HALF}"}, {"id": "ü", "content": "Où?", "by": "Å"}])
        server.answer = answer
        assert label(definition, settings(server))["labelled"] == 2
        first, second = OUT.read_text().splitlines()
        assert json.loads(first)["by"] == f"Ann {HALF}"
        assert "ü" in second, "what can be written is"
        server.answer = lambda *_: f"Sorry {HALF}"
        write([{"id": "b", "content": "A bridge."}])
        assert label(definition, settings(server))["malformed"] == 1


@pytest.mark.parametrize("batches", [False, True])
def test_articles_at_which_the_server_fails_do_not_end_the_run_nor_the_next(
    batches: bool, here: Programs, definition: Definition
) -> None:
    """Each twentieth is one: what arrives together, in a second batch or run, does not press the brake either."""
    articles = some_articles(600)
    poison = [*articles[::20], *articles[-2:]]
    api = {"enabled": batches, "max_requests": 1000, "poll_interval": 0.01}
    with OracleServer(good(definition)) as server:
        fails(server, "500", poison)
        for _ in range(2):  # the second run asks about nothing else
            with open_labeller(definition, settings(server, retries=1, batch_api=api), 100.0, 0) as labeller:
                found = labeller.label_all(articles, is_batch=True)
            without = [each.article_id for each in found if each.outcome == "refused"]
            assert without == [each.article_id for each in poison]
            assert sum(each.outcome == "scored" for each in found) == 600 - len(poison)


def test_a_server_that_is_out_is_noticed_soon(here: Programs, definition: Definition) -> None:
    articles = some_articles(400)
    with OracleServer(good(definition)) as server:
        given = settings(server, retries=1)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            labeller.label_all(articles[:200], is_batch=True)
            server.failures, asked = {"500": 1.0}, len(server.requests)
            with pytest.raises(OracleError, match="status 500"):
                labeller.label_all(articles, is_batch=True)
        assert len(server.requests) - asked < 60


def test_the_cap_counts_articles_whatever_part_of_their_answers_is_stored(
    here: Programs, definition: Definition
) -> None:
    articles = some_articles(9)
    with OracleServer(good(definition)) as server:
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            labeller.label_all(articles[:6])
        given = settings(server, answers=3)
        write(rows_of(articles))
        for cap, covered in ((100.0, 9), (None, 4)):
            with open_labeller(definition, given, cap or 0.0, 0) as labeller:
                if cap is None:  # two answers of each of three articles, three of the fourth, and of the fifth one
                    labeller.unanswered(articles[0])
                    mean = labeller.mean_cost() or 0.0
                    labeller.max_cost_usd = labeller.use.cost_usd + 5 * mean + 10.5 * mean
                order = [*articles[:3], articles[6], *articles[3:6], *articles[7:]]
                assert announce(labeller, ((each, "plain") for each in order), is_batch=True) == covered
        told = label(definition, given)
        assert (told["labelled"], told["left"], told["complete"]) == (9, 0, True)


def test_progress_counts_articles_and_not_their_answers(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        OracleServer(good(definition)) as server,
        open_labeller(definition, settings(server, answers=3), 100.0, 0) as labeller,
    ):
        labeller.label_all(some_articles(20), is_batch=True, every=10)
    told = [line.split(",")[0] for line in capfd.readouterr().err.splitlines() if " paid now" in line]
    assert told == ["  10 articles", "  20 articles"]


def test_without_a_batch_api_the_run_goes_on_directly_when_told_so(here: Programs, definition: Definition) -> None:
    write(rows_of(some_articles(5)))
    with OracleServer(good(definition)) as server:
        server.batches._answer = lambda *_: (404, {"error": {"message": "no such path"}})  # type: ignore[method-assign]
        api = {"enabled": True, "max_requests": 1000, "poll_interval": 0.01}
        for _ in range(2):
            with pytest.raises(OracleError, match="no such path") as caught:
                label(definition, settings(server, batch_api=api))
            assert "batch_api.enabled: false" in caught.value.fix
        assert label(definition, settings(server))["labelled"] == 5


def test_a_batch_that_the_server_has_lost_is_asked_again_when_told_so(here: Programs, definition: Definition) -> None:
    write(rows_of(some_articles(5)))
    with OracleServer(good(definition)) as server:
        server.batches._answer = lambda *_: (404, {"error": {"message": "no such batch"}})  # type: ignore[method-assign]
        with open_labeller(definition, settings(server), 100.0, 0) as labeller, labeller.kept.saving():
            labeller.kept.begin_batch(SentBatch("mine", labeller.asker, "batch-77", {"key": 1}))
        with pytest.raises(OracleError, match="batch-77.*no such batch") as caught:
            label(definition, settings(server))
        assert "--retry batches" in caught.value.fix
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            assert labeller.give_up_batches() == 1
        assert label(definition, settings(server))["labelled"] == 5


def test_refused_articles_are_drawn_last_so_that_parts_of_a_file_go_on(here: Programs, definition: Definition) -> None:
    articles = some_articles(30)
    write(rows_of(articles))
    with OracleServer(good(definition)) as server:
        fails(server, "400", articles[:3])
        for _ in range(15):
            told = label(definition, settings(server), batches=1, size=2)
        assert told["labelled"] == 27
        left = [json.loads(line) for line in Path("out.jsonl.unlabelled.jsonl").read_text().splitlines()]
        assert {row["id"] for row in left} == {"a0", "a1", "a2"}, "also those that an earlier part was refused"
        assert all("status 400" in row["reason"] for row in left)


def test_a_source_whose_articles_are_all_refused_does_not_press_the_brake(
    here: Programs, definition: Definition
) -> None:
    """In a file sorted by source its articles stand together; of the whole file they are 6%."""
    articles = some_articles(1000)
    write(rows_of(articles))
    with OracleServer(good(definition)) as server:
        fails(server, "400", articles[300:360])
        for _ in range(2):  # the second run asks about these alone
            told = label(definition, settings(server))
            assert (told["labelled"], told["refused"]) == (940, 60)


@pytest.mark.parametrize("order", ["forward", "backward", "shuffled"])
def test_the_brake_looks_at_places_in_whatever_order_articles_fail(order: str) -> None:
    places = [*range(500, 540)]
    if order != "forward":
        places.reverse() if order == "backward" else random.Random(1).shuffle(places)
    brake = Brake(0.1)
    held = [brake.holds(*brake.press(place)) for place in places]
    assert not any(held[:20])
    assert all(held[30:]), "30 bad ones of 100 neighbours are no chance at 10%"
    assert brake.press(540) == (41, WINDOW)


def test_the_brake_is_not_pressed_by_failures_that_only_arrive_together() -> None:
    """A run that goes on asks about the refused ones alone; each twentieth article is one."""
    brake = Brake(0.1)
    assert not any(brake.holds(*brake.press(place)) for place in range(0, 4000, 20))


def test_no_reply_shows_the_key_in_a_reason(
    here: Programs, definition: Definition, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(oracle_server.UNPAID, "200-error", {"error": {"message": f"bad\nBearer {KEY}"}})
    api = {"enabled": True, "max_requests": 1000, "poll_interval": 0.01}
    for changes in ({}, {"batch_api": api}):
        with (
            OracleServer(good(definition), {"200-error": 1.0}) as server,
            open_labeller(definition, settings(server, retries=0, **changes), 100.0, 0) as labeller,
        ):
            (found,) = labeller.label_all(some_articles(1), is_batch=True)
        assert "Bearer …" in found.reason
        assert KEY not in found.reason
        assert "\n" not in found.reason


@pytest.mark.parametrize(
    "field", ["max_tokens", "max_completion_tokens", "n", "stream", "model", "messages", "response_format"]
)
def test_what_decides_cost_and_form_of_an_answer_is_not_in_the_extra_body(
    field: str, here: Programs, definition: Definition
) -> None:
    with OracleServer(good(definition)) as server, pytest.raises(ValidationError, match=f"extra_body holds {field}"):
        settings(server, extra_body={field: 3, "top_p": 0.9})


def test_a_fence_within_an_answer_is_part_of_it(definition: Definition) -> None:
    scores = dict.fromkeys(definition.names, 3)
    answer = json.dumps({"rationale": "it shows ```code``` and ```{}```", **scores})
    for given in (answer, f"\n{answer}", f"Here:\n```json\n{json.dumps({'rationale': 'x', **scores})}\n```"):
        assert parse_answer(given, definition, rationale=True) == scores


@pytest.mark.parametrize(
    ("total", "thinking", "expected"), [(15, 100, (5, 100)), (15, 3, (2, 3)), (None, 3, (2, 3)), (45, 3, (5, 30))]
)
def test_thinking_is_counted_at_the_most_that_the_usage_may_mean(
    total: int | None, thinking: int, expected: tuple[int, int]
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": thinking}}
    body = {"choices": [{"message": {"content": "{}"}}], "usage": usage | ({"total_tokens": total} if total else {})}
    tokens = read_reply(json.dumps(body).encode(), Tokens(1, 0, 1, 0)).tokens
    assert (tokens.completion_tokens, tokens.thinking_tokens) == expected


def test_a_pass_holds_for_its_tolerance_too(here: Programs, definition: Definition) -> None:
    params = here.section("label")

    def gates(**changes: Any) -> str:
        calibration = params.calibration.model_copy(update=changes)
        with labelling.open_labeller(definition, params.model_copy(update={"calibration": calibration}), 0) as labeller:
            return labeller.gates

    assert isinstance(params, Label)
    assert gates() == gates(probes=3) != gates(tolerance=0.9)


def test_near_duplicates_of_an_example_are_in_no_sample(here: Programs, definition: Definition) -> None:
    kept = here.table("filter/articles.parquet")
    texts = here.table("ingest/articles.parquet").set_index("article_id")
    human = here.table("ingest/scores.parquet").iloc[:0]
    params = here.section("label")
    shown, near = kept["article_id"].iloc[:2]
    grouped = kept.assign(duplicate_group=kept["duplicate_group"].mask(kept["article_id"] == near, shown))
    example = Example(content=texts.loc[shown, "content"], scores=dict.fromkeys(definition.names, 5.0))
    with_example = definition.model_copy(update={"examples": [example]})
    every = params.calibration.model_copy(update={"on_topic": 500, "off_topic": 500, "edge": 500})
    seen = {}
    for name, table in (("apart", kept), ("near", grouped)):
        with open_labeller(with_example, params.oracle, 1.0, 0) as labeller:
            outcome = calibrate(labeller, table, texts, human, every, FILTER)
        samples = [each for each in (outcome.calibration, outcome.validation) if each is not None]
        seen[name] = {article for each in samples for article in each.overall["article_id"]}
        assert shown not in seen[name]
    assert near in seen["apart"]
    assert near not in seen["near"]
