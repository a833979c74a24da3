"""What makes an oracle's labels better, for more money: reasons first, examples, means of several answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stages.articles_oracle.stub import PRICE, good, open_labeller, settings, some_articles
from tests.stages.oracle_server import OracleServer, lot
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition, Example
from winnow.domains.articles.params import Oracle
from winnow.domains.articles.rules.gate import calibrate
from winnow.domains.articles.rules.labelling import announce
from winnow.domains.articles.rules.outcomes import Article
from winnow.domains.articles.rules.questions import MalformedAnswer, parse_answer, question
from winnow.domains.articles.source.filters import read_filter
from winnow.pipeline.errors import SourceError


def test_an_answer_begins_with_its_reasons_where_they_are_asked_for(here: Programs, definition: Definition) -> None:
    articles = some_articles(3)
    with OracleServer(good(definition)) as server:
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            before = labeller.label_all(articles)
        with open_labeller(definition, settings(server, rationale=True), 100.0, 0) as labeller:
            found = labeller.label_all(articles)
            assert labeller.use.malformed == 0
        schema = server.body["response_format"]["json_schema"]["schema"]
        assert found == before
        assert len(server.requests) == 6, "answers without reasons are other answers"
    assert list(schema["properties"]) == ["rationale", *definition.names], "first: what stands there decides the rest"
    assert schema["required"] == list(schema["properties"])
    assert schema["properties"]["rationale"] == {"type": "string"}
    scores = dict.fromkeys(definition.names, 3)
    assert parse_answer(json.dumps({"rationale": "x", **scores}), definition, rationale=True) == scores
    for bad in (scores, {"rationale": 7, **scores}):
        with pytest.raises(MalformedAnswer, match="lacks the text rationale"):
            parse_answer(json.dumps(bad), definition, rationale=True)
    with pytest.raises(MalformedAnswer, match="unknown rationale"):
        parse_answer(json.dumps({"rationale": "x", **scores}), definition)


def with_examples(rows: Sequence[dict[str, Any] | str]) -> Definition:
    """The shipped filter with these lines of `examples.jsonl`."""
    folder = Path("data/source/articles/filters/uplifting/v1")
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    (folder / "examples.jsonl").write_text(text)
    return read_filter("uplifting/v1")


@pytest.fixture
def own_filters(here: Programs, definition: Definition, tmp_path: Path) -> None:
    """A folder of filters that a test may change."""
    import shutil  # noqa: PLC0415

    data = Path("data").resolve()
    Path("data").unlink()
    shutil.copytree(data, "data")


def test_examples_of_a_filter_stand_in_the_prompt(here: Programs, own_filters: None, definition: Definition) -> None:
    scores = {name: float(place) for place, name in enumerate(definition.names)}
    rows = [
        {"title": "Bridge", "content": "They rebuilt the bridge.", "scores": scores, "rationale": "They act."},
        {"content": "It rained.", "scores": dict.fromkeys(definition.names, 0)},
    ]
    shown = with_examples(rows)
    for rationale in (False, True):
        for variant in ("plain", "reversed"):
            asked = question(shown, "", "A school.", max_characters=99, rationale=rationale, variant=variant)
            parts = asked.system.split("Example of an article:\n")[1:]
            assert [part.split("\nIts answer: ")[0] for part in parts] == [
                "Bridge\n\nThey rebuilt the bridge.", "It rained.",
            ]  # fmt: skip
            answers = [json.loads(part.split("\nIts answer: ")[1].partition("\n\n")[0]) for part in parts]
            assert [answer.pop("rationale", None) for answer in answers] == ["They act." if rationale else None, None]
            assert answers == [scores, dict.fromkeys(definition.names, 0)]
            assert list(answers[0]) == definition.names[:: 1 if variant == "plain" else -1]
            for answer in answers:
                parse_answer(json.dumps(answer), shown)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scores": {"agency": 3.0}}, "row 2 is no example: progress has no score"),
        ({"scores": "high"}, "scores: Input should be a valid dictionary"),
        ({"content": ""}, "content: String should have at least 1"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_line_that_is_no_example_is_named(
    change: dict[str, Any], message: str, here: Programs, own_filters: None, definition: Definition
) -> None:
    right = {"content": "It rained.", "scores": dict.fromkeys(definition.names, 0)}
    assert with_examples([right, right]).examples[1].content == "It rained."
    for bad in ({**right, **change}, {**right, "scores": {**right["scores"], "hope": 3}}, "{"):
        with pytest.raises(SourceError, match="row 2 is no example") as caught:
            with_examples([right, bad])
        assert "examples.jsonl" in str(caught.value)
        if bad == {**right, **change}:
            assert message in str(caught.value)
    for score in (11, -1):
        off = {**right, "scores": {**right["scores"], "agency": score}}
        with pytest.raises(SourceError, match=f"agency is {score}.*outside 0 to 10"):
            with_examples([right, off])


def test_an_article_that_the_prompt_shows_is_in_no_sample(here: Programs, definition: Definition) -> None:
    kept = here.table("filter/articles.parquet")
    texts = here.table("ingest/articles.parquet").set_index("article_id")
    human = here.table("ingest/scores.parquet").iloc[:0]
    params = here.section("label").calibration
    values = here.section("label").oracle
    with open_labeller(definition, values, 1.0, 0) as labeller:
        before = calibrate(labeller, kept, texts, human, params, "uplifting/v1")
    shown = before.calibration.overall["article_id"].tolist()[:4]
    scores = dict.fromkeys(definition.names, 5.0)
    examples = [Example(content=texts.loc[name, "content"], scores=scores) for name in shown]
    with open_labeller(definition.model_copy(update={"examples": examples}), values, 1.0, 0) as labeller:
        after = calibrate(labeller, kept, texts, human, params, "uplifting/v1")
    for each in (after.calibration, after.validation):
        assert each is not None
        assert not set(shown) & set(each.overall["article_id"])


def test_a_score_is_the_mean_of_the_answers(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    articles, count, asked = some_articles(20), 3, dict[str, int]()

    def answer(article: str, names: Sequence[str]) -> str:
        asked[article] = asked.get(article, 0) + 1
        return json.dumps({name: 10 * lot(f"{article} {name} {asked[article]}") for name in names})

    with OracleServer(answer) as server:
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            first = labeller.label_all(articles[:5])
        with open_labeller(definition, settings(server, answers=count, concurrency=1), 100.0, 0) as labeller:
            assert announce(labeller, ((each, "plain") for each in articles)) == 20, "articles, some with one answer"
            assert "55 questions to ask" in capfd.readouterr().err
            found = labeller.label_all(articles)
            assert labeller.use.cost_usd == pytest.approx(60 * PRICE)
            assert all(labeller.is_known(each) for each in articles)
            assert "mean of 3 answers" in labeller.judged, "a PASS of one answer is none of their mean"
        assert len(server.requests) == 60, "the answers that were stored count"
        for each, article in zip(found, articles, strict=True):
            assert each.article_id == article.article_id
            for name in definition.names:
                answers = [10 * lot(f"{article.content} {name} {number}") for number in (1, 2, 3)]
                assert each.scores is not None
                assert each.scores[name] == pytest.approx(np.mean(answers))
        assert first[0].scores != found[0].scores


def test_a_mean_leaves_out_what_is_malformed_and_waits_for_what_the_cap_left_out(
    here: Programs, definition: Definition
) -> None:
    (article,) = some_articles(1)
    with OracleServer(good(definition)) as server:
        given = settings(server, answers=2, parse_retries=0, concurrency=1)
        turns = iter(["no-json", "ok"])
        server._drawn = lambda *_: next(turns, "ok")  # type: ignore[method-assign]
        with open_labeller(definition, given, 100.0, 0) as labeller:
            (found,) = labeller.label_all([article])
            assert found.scores == pytest.approx(json.loads(good(definition)(article.content, definition.names)))
            assert found.failures == ("no JSON",)
    with OracleServer(good(definition)) as server:
        given = settings(server, answers=2, max_tokens=100, concurrency=1, model="other")
        with open_labeller(definition, given, 100.0, 0) as labeller:
            highest = labeller.highest_cost(labeller.unanswered(article)[0])
        with open_labeller(definition, given, 1.1 * highest, 0) as labeller:
            found = labeller.label_all([article, Article("b", "", "A river.")], is_batch=True)
        assert [each.outcome for each in found] == ["not reached", "not reached"], "half a mean is another label"
        assert len(server.requests) >= 1


def test_means_of_rules_scatter_less(here: Programs, definition: Definition) -> None:
    """Averaging k answers of independent noise divides its variance by k."""
    articles = some_articles(150)
    values = here.section("label").oracle.model_dump()
    spread = {}
    for count in (1, 9):
        given = Oracle.model_validate({**values, "answers": count, "noise": 1.0})
        with open_labeller(definition, given, 1.0, 0) as labeller:
            found = labeller.label_all(articles)
        scores = np.array([list((each.scores or {}).values()) for each in found])
        inside = [index for index, name in enumerate(definition.names) if 2 < scores[:, index].mean() < 8]
        spread[count] = scores[:, inside].std(axis=0).mean()
    assert spread[9] == pytest.approx(spread[1] / 3, rel=0.15)
