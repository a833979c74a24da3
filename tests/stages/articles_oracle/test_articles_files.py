"""A file that an oracle labels: what is announced, asked for, cut short and left out."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.stages.articles_oracle.stub import (
    FILTER,
    PRICE,
    good,
    highest,
    listed,
    open_labeller,
    oracle,
    settings,
    some_articles,
)
from tests.stages.articles_oracle.test_articles_batches import batched, interrupted
from tests.stages.oracle_server import OracleServer
from tests.stages.programs import Programs
from winnow.domains.articles.cli import app
from winnow.domains.articles.definitions import Definition, SourceRules, WordRules
from winnow.domains.articles.rules import files
from winnow.domains.articles.rules.batches import SentBatch
from winnow.domains.articles.rules.files import label_file
from winnow.domains.articles.rules.labelling import Labeller, announce
from winnow.domains.articles.rules.oracles import Reply
from winnow.domains.articles.rules.outcomes import Article
from winnow.domains.articles.rules.prefilter import Sieve
from winnow.domains.articles.rules.questions import Question
from winnow.learn.interrupt import Interrupted
from winnow.pipeline.errors import WinnowError


def label_more(labeller: Labeller, articles: list[Article]) -> dict[str, Any]:
    Path("more.jsonl").write_text(listed(articles))
    return label_file(labeller, Path("more.jsonl"), Path("out.jsonl"), batch_size=10, max_batches=0, seed=1)


def test_what_a_server_took_beyond_its_limits_in_the_calibration_is_announced_for_a_file(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of other articles: `most` of max_tokens would be a tenth of what is paid."""
    with OracleServer(good(definition), {"thinking-long": 1.0}) as server:
        given = settings(server, max_tokens=100, retries=0, parse_retries=0)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            labeller.label_all(some_articles(5))
        with open_labeller(definition, given, 100.0, 0) as labeller:
            paid = label_more(labeller, some_articles(25)[5:])["paid_now_usd"]
    about, most = told_costs(capfd)
    assert about == pytest.approx(paid, abs=0.01)
    assert most >= paid


def told_costs(capfd: pytest.CaptureFixture[str]) -> tuple[float, float]:
    told = capfd.readouterr().err
    found = re.search(r"about \$([\d.]+), at most \$([\d.]+);", told)
    assert found, told
    return float(found[1]), float(found[2])


@pytest.mark.parametrize("change", ["sorted", "shorter", "longer", "edited", "retitled"])
def test_a_file_that_changes_while_it_is_labelled_gives_nobody_anothers_scores(
    here: Programs, definition: Definition, change: str
) -> None:
    articles = some_articles(6)
    edited = [*articles[:3], articles[3]._replace(content="Another text altogether."), *articles[4:]]
    retitled = [articles[0]._replace(title="Another title"), *articles[1:]]
    now = {
        "sorted": articles[::-1],
        "shorter": articles[:5],
        "longer": some_articles(7),
        "edited": edited,
        "retitled": retitled,
    }[change]
    Path("out.jsonl").write_text("mine")
    with OracleServer(good(definition)) as server:
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            ask = labeller.oracle.ask

            def meanwhile(asked: Question) -> Reply:
                Path("more.jsonl").write_text(listed(now))
                return ask(asked)

            labeller.oracle.ask = meanwhile  # type: ignore[method-assign]
            with pytest.raises(WinnowError, match="more.jsonl has changed"):
                label_more(labeller, articles)
        assert Path("out.jsonl").read_text() == "mine"
        with open_labeller(definition, settings(server), 100.0, 0) as labeller:
            assert label_more(labeller, articles)["labelled"] == 6
        assert len(server.requests) == 6, "what was answered is kept"


def test_a_file_that_the_cap_cuts_short_is_not_complete(here: Programs, definition: Definition) -> None:
    """Though nothing was known of costs when it began; the command's exit code is 1 then."""
    with OracleServer(good(definition)) as server, open_labeller(definition, settings(server), 100.0, 0) as labeller:
        labeller.max_cost_usd = highest(labeller) + 5 * PRICE
        told = label_more(labeller, some_articles(30))
    assert told["left"] > 0
    assert told["complete"] is False


@pytest.mark.parametrize("what", ["malformed", "all", "batches"])
def test_nothing_is_given_up_for_a_file_that_no_prompt_may_label(
    here: Programs, definition: Definition, what: str
) -> None:
    with OracleServer(good(definition), {"sorry": 0.5}) as server:
        params = here.section("label", oracle=oracle(server))
        Path("params.yaml").unlink()
        Path("params.yaml").write_text(
            json.dumps({"seed": 1, "articles": {"common": {"definition": FILTER}, "label": params.model_dump()}})
        )
        Path("more.jsonl").write_text(listed(some_articles(3)))
        with open_labeller(definition, settings(server), 1.0, 0) as labeller:
            labeller.label_all(some_articles(8))
            labeller.kept.begin_batch(SentBatch("mine", labeller.asker, "batch-7", {"key": 1}))
            stored = [*labeller.kept.by(labeller.asker)]
        done = CliRunner().invoke(app, ["label", "more.jsonl", "--out", "out.jsonl", "--retry", what])
        assert "has not passed" in str(done.exception)
        with open_labeller(definition, settings(server), 1.0, 0) as labeller:
            assert [*labeller.kept.by(labeller.asker)] == stored
            assert len(labeller.kept.batches(labeller.asker)) == 1


def test_lines_with_text_in_place_of_content_are_labelled_as_they_stand(here: Programs, definition: Definition) -> None:
    articles = some_articles(3)
    Path("more.jsonl").write_text(listed(articles).replace('"content"', '"text"'))
    with OracleServer(good(definition)) as server, open_labeller(definition, settings(server), 100.0, 0) as labeller:
        told = label_file(labeller, Path("more.jsonl"), Path("out.jsonl"), batch_size=10, max_batches=0, seed=1)
    assert told["labelled"] == 3
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == [each.content for each in articles]
    assert not any("content" in row for row in rows)
    assert sorted(server.requests) == sorted(each.content for each in articles)


def test_label_counts_by_the_source_that_ingest_would_give_a_csv(
    definition: Definition, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = {"min_words": 0, "languages": [], "keep": WordRules(words=[], patterns=[])}
    sieve = Sieve(definition.prefilter.model_copy(update={**rules, "sources": SourceRules(keep=["csv"], drop=[])}))
    for name, text in (("in.csv", "id,content\na,a school\n"), ("in.jsonl", '{"id": "a", "content": "a school"}\n')):
        (tmp_path / name).write_text(text)
        files._tell_outside(tmp_path / name, sieve)
    assert capsys.readouterr().err.count("1 articles are outside of prefilter.yaml (1 wrong_source)") == 1


def test_what_forgotten_answers_took_beyond_the_limits_is_announced(
    here: Programs, definition: Definition, capfd: pytest.CaptureFixture[str]
) -> None:
    """`--retry all` forgets answers, and not what the server's answers cost: also for articles that come first."""
    with OracleServer(good(definition), {"thinking-long": 1.0}) as server:
        given = settings(server, max_tokens=100, retries=0, parse_retries=0)
        with open_labeller(definition, given, 100.0, 0) as labeller:
            labeller.label_all(some_articles(5))
            labeller.forget_answers()
        with open_labeller(definition, given, 100.0, 0) as labeller:
            capfd.readouterr()
            announce(labeller, ((each, "plain") for each in some_articles(25)[5:]))
            labeller.label_all(some_articles(25)[5:])
            paid = labeller.use.paid_now_usd
    told = re.search(r"at most \$([\d.]+);", capfd.readouterr().err)
    assert told
    assert float(told[1]) >= paid


@pytest.mark.parametrize("what", ["malformed", "all"])
def test_what_a_batch_under_way_answers_is_asked_for_again_too(
    here: Programs, definition: Definition, what: str
) -> None:
    """Its answers are of the server as it was; they would count as those of the mended one."""
    with OracleServer(good(definition), {"sorry": 1.0}) as server:
        given = batched(server, parse_retries=0)
        with open_labeller(definition, given, 1.0, 0) as labeller:
            labeller.oracle.exchange = interrupted(labeller.oracle.exchange)  # type: ignore[attr-defined]
            with pytest.raises(Interrupted):
                labeller.label_all(some_articles(8), is_batch=True)
        params = here.section("label", oracle=given.model_dump())
        Path("params.yaml").unlink()
        Path("params.yaml").write_text(
            json.dumps({"seed": 1, "articles": {"common": {"definition": FILTER}, "label": params.model_dump()}})
        )
        done = CliRunner().invoke(app, ["label", "--retry", what])
        assert done.exit_code == 0, done.exception
        with open_labeller(definition, given, 1.0, 0) as labeller:
            assert labeller.kept.batches(labeller.asker) == []
            assert [*labeller.kept.by(labeller.asker)] == []
            assert len([*labeller.kept.by(labeller.asker, retired=True)]) == 8, "paid, and stored"
        assert ("go on without --retry" in done.stderr) is (what == "all")


def test_nothing_is_asked_for_a_file_that_cannot_be_written(here: Programs, definition: Definition) -> None:
    Path("more.jsonl").write_text(listed(some_articles(3)))
    out = Path("more.jsonl", "out.jsonl")
    with OracleServer(good(definition)) as server, open_labeller(definition, settings(server), 1.0, 0) as labeller:
        with pytest.raises(OSError, match=r"more\.jsonl"):
            label_file(labeller, Path("more.jsonl"), out, batch_size=10, max_batches=0, seed=1)
        assert server.requests == []


@pytest.mark.parametrize("is_cut", [True, False])
def test_the_exit_code_tells_that_the_cap_cut_a_file_short(
    here: Programs, is_cut: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What --max-batches leaves to the next run is no failure."""
    told = {"labelled": 1, "malformed": 0, "refused": 0, "left": 1, "rejected": 0, "complete": False}
    monkeypatch.setattr(files, "check_passed", lambda *_: None)
    monkeypatch.setattr(files, "label_file", lambda *_, **__: {**told, "cut_by_cap": is_cut})
    params = {"common": {"definition": FILTER}, "label": here.section("label").model_dump()}
    Path("params.yaml").unlink()
    Path("params.yaml").write_text(json.dumps({"seed": 1, "articles": params}))
    Path("more.jsonl").write_text(listed(some_articles(2)))
    done = CliRunner().invoke(app, ["label", "more.jsonl", "--out", "out.jsonl"])
    assert done.exit_code == int(is_cut), done.exception
