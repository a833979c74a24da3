"""The gate before batch labelling: broken oracles, verdicts, rounds, the command line."""

import dataclasses
import json
import random
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from tests.stages.articles_oracle.stub import FILTER, PRICE, good, oracle, settings
from tests.stages.oracle_server import OracleServer, lot
from tests.stages.programs import Programs
from winnow.domains.articles.cli import app
from winnow.domains.articles.definitions import Definition, Example, article_text
from winnow.domains.articles.params import Bound, Label
from winnow.domains.articles.rules import labelling, rounds
from winnow.domains.articles.rules.calibration import CalibrationResult, Check, compare, measure
from winnow.domains.articles.rules.files import check_passed
from winnow.domains.articles.rules.gate import PromptRefusedError, require_pass
from winnow.domains.articles.rules.oracles import OpenAIOracle
from winnow.domains.articles.rules.outcomes import Labelled
from winnow.domains.articles.rules.questions import INJECTION, hash_of
from winnow.domains.articles.rules.samples import draw_samples, probe_articles
from winnow.domains.articles.source.synthetic import score_words
from winnow.domains.articles.tables import Scores as ScoresTable
from winnow.judge.intervals import wilson
from winnow.pipeline import ledger
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.tables import write_table

SIZES = {"on_topic": 15, "off_topic": 15}


def sample_texts(programs: Programs) -> tuple[set[str], set[str]]:
    """The texts of the calibration and of the validation sample."""
    kept = programs.table("filter/articles.parquet")
    articles = programs.table("ingest/articles.parquet").set_index("article_id")
    scored = set(programs.table("ingest/scores.parquet")["article_id"])
    samples = draw_samples(kept, programs.section("label", calibration=SIZES).calibration, scored)
    return tuple(  # type: ignore[return-value]
        {article_text(*articles.loc[name, ["title", "content"]]) for name in sample["article_id"]} for sample in samples
    )


Scores = dict[str, Any]
FAULTS: dict[str, Callable[[Scores, str], Scores | str]] = {
    "always 10": lambda scores, _: dict.fromkeys(scores, 10),
    "copy": lambda scores, _: {**scores, "progress": scores["agency"]},
    "turned copy": lambda scores, _: {**scores, "progress": 10 - scores["agency"]},
    "one random": lambda scores, article: {**scores, "wonder": 10 * lot(article)},
    "toothbrush": lambda scores, article: (
        {name: 8 + 1.5 * lot(name + article) for name in scores} if sum(scores.values()) < 8 else scores
    ),
    "toothbrush in one": lambda scores, _: {**scores, "wonder": 9} if sum(scores.values()) < 8 else scores,
    "unparsable": lambda scores, article: "Sorry, as a language model …" if lot(article) < 0.15 else scores,
    "silent on injections": lambda scores, article: "I see." if "scoring system" in article else scores,
}


def broken(kind: str, definition: Definition, known: set[str]) -> Callable[[str, Sequence[str]], str]:
    right, rng = good(definition), random.Random(3)

    def answer(article: str, names: Sequence[str]) -> str:
        scores = json.loads(right(article, names))
        if kind == "random":
            scores = {name: rng.uniform(0, 10) for name in names}
        elif kind == "overfitted" and not any(text in article for text in known):
            scores = {name: 10 * lot(name + article) for name in names}
        given = FAULTS[kind](scores, article) if kind in FAULTS else scores
        return given if isinstance(given, str) else json.dumps(given)

    return answer


@pytest.mark.parametrize(
    ("kind", "word", "reason"),
    [
        ("always 10", "FAIL", "dimensions that hardly vary: agency, progress"),
        ("random", "FAIL", "asked twice, scores differ by"),
        ("overfitted", "FAIL", "overfitted to the calibration sample"),
        ("copy", "REVIEW", "dimensions that repeat each other: agency and progress"),
        ("toothbrush", "FAIL", "of the off-topic articles score above 5"),
        ("one random", "FAIL|REVIEW", "wonder agrees least with the scores of people: its correlation is -?0.[0-4]"),
        ("turned copy", "FAIL|REVIEW", "dimensions that repeat each other: agency and progress"),
        ("toothbrush in one", "FAIL", "of the off-topic articles score above 5 in wonder"),
        ("silent on injections", "FAIL", "none of the answers to the probe `injected` can be compared"),
        ("unparsable", "FAIL|REVIEW", "answers broke the schema"),
    ],
)
def test_a_broken_oracle_is_refused_before_the_batch(
    kind: str, word: str, reason: str, here: Programs, definition: Definition
) -> None:
    calibration, validation = sample_texts(here)
    texts = calibration | validation
    expected = rf"did not pass \((?:{word})[^$]*{reason}"
    with (
        OracleServer(broken(kind, definition, calibration)) as server,
        pytest.raises(PromptRefusedError, match=expected),
    ):
        here.run("label", oracle=oracle(server, parse_retries=0), calibration=SIZES)
    asked = {text for text in server.requests if not any(text.startswith(each) for each in texts)}
    assert not asked, "an article outside of the two samples was asked about"
    assert not Path("data/articles/label/labels.parquet").exists()
    report = Path("metrics/articles/calibration_report.md").read_text()
    assert f"# Calibration of {FILTER}: " in report
    assert "PASS" not in report.splitlines()[0]
    if kind != "overfitted":
        assert "no fresh articles" in report.lower()


@pytest.mark.parametrize(("oracle_name", "cure"), [("rules/0.5/7", "label.use_scores"), ("gpt/0", "prompt.md")])
def test_who_has_no_prompt_to_revise_is_not_told_to_revise_it(oracle_name: str, cure: str) -> None:
    told = {"word": "FAIL", "decision": "", "reasons": ["one", "two"], "has_malformed": False}
    outcome: Any = SimpleNamespace(**told, oracle=oracle_name)
    with pytest.raises(PromptRefusedError) as caught:
        require_pass(outcome)
    first, *reasons = caught.value.what.splitlines()
    assert reasons == ["    one", "    two"], "a line each"
    assert first.endswith("nothing more was asked:")
    with pytest.raises(PromptRefusedError) as again:
        require_pass(outcome, are_reasons_told=True)
    assert again.value.what == first.removesuffix(":")
    assert cure in caught.value.fix
    assert ("prompt.md" in caught.value.fix) == (oracle_name == "gpt/0")


def test_the_figures_of_a_calibration_are_what_a_hand_computes(definition: Definition) -> None:
    names = definition.names
    on, off = [f"on{n}" for n in range(10)], [f"off{n}" for n in range(10)]
    level = {name: 10.0 if name in on[:2] else 4.0 + int(name[2:]) % 3 for name in on} | dict.fromkeys(off, 1.5)

    def labelled(moved: dict[str, float], broken: str = "") -> list[Labelled]:
        return [
            Labelled(name, dict.fromkeys(names, level[name] + by), ("no JSON",) if name == broken else ())
            for name, by in moved.items()
        ]

    sample = pd.DataFrame({"article_id": on + off, "topic": ["on"] * 10 + ["off"] * 10})
    probes = {
        "repeat": labelled({"on2": 0.2, "off0": -0.4}),
        "reversed": labelled({"on2": 0.4, "on3": -0.4}),
        "doubled": labelled({"on2": 0.5, "on3": -0.1}, broken="on3"),
        "injected": labelled({"off0": 1.0, "off1": 2.0}),
    }
    middle = sum(level[name] for name in on) / 10
    people: dict[str, Callable[[float], float]] = {
        "agency": lambda score: score - 0.5,
        "wonder": lambda score: score + 2,
        "justice": lambda score: 2 * middle - score,
    }
    human = pd.DataFrame(
        [(name, each, people.get(each, lambda score: score)(level[name])) for name in on for each in names],
        columns=["article_id", "dimension", "score"],
    )
    gates = Programs.tiny("articles").section("label").calibration.gates
    found = measure(definition, sample, labelled(dict.fromkeys(on + off, 0.0), broken="off3"), probes, human, gates)
    told = {check.name: check for check in found.checks}
    expected = {
        "parse_failures": 2 / 28, "separation": (middle - 1.5) / 10, "off_topic_high": 0, "extreme_scores": 0.2,
        "dead_dimensions": 0, "duplicate_dimensions": 28, "repeat_difference": 0.03, "order_shift": 0.04,
        "length_shift": 0.02, "injection_shift": 0.15, "human_correlation": -1, "human_offset": 0.2,
    }  # fmt: skip
    assert {name: check.value for name, check in told.items()} == pytest.approx(expected)
    assert told["human_correlation"].evidence.startswith("justice agrees least")
    assert told["human_offset"].evidence.startswith("wonder lies -2.00 points")


def findings(on: Sequence[float], off: Sequence[float], human: tuple[float, str]) -> CalibrationResult:
    overall = pd.DataFrame({"article_id": "", "topic": ["on"] * len(on) + ["off"] * len(off), "overall": [*on, *off]})
    check = Check("human_correlation", human[0], 0.5, 0.3, human[1], f"correlation {human[0]}", "")
    return CalibrationResult([check], [], {}, overall, [])


@pytest.mark.parametrize(
    ("on", "human", "word", "decision"),
    [
        ([6.6, 6.4] * 5, (0.9, "PASS"), "PASS", "proceed"),  # .5 points worse: less than a tenth of the scale
        ([5.1, 4.9] * 5, (0.9, "PASS"), "REVIEW", "overfitted"),  # 2 points worse, and the samples hardly vary
        ([9.0, 1.0] * 5, (0.9, "PASS"), "PASS", "proceed"),  # 2 points worse, with a standard error of 1.3
        ([6.6, 6.4] * 5, (0.4, "REVIEW"), "REVIEW", "overfitted"),  # disorder on fresh articles
        ([6.6, 6.4] * 5, (0.1, "FAIL"), "FAIL", "start over"),
    ],
)
def test_calibration_against_validation(on: list[float], human: tuple[float, str], word: str, decision: str) -> None:
    before = findings([7.1, 6.9] * 5, [1.0] * 10, (0.9, "PASS"))
    found = compare(before, findings(on, [1.0] * 10, human), tolerance=0.1, width=10.0)
    assert (found.word, found.decision) == (word, decision)


def test_a_good_oracle_passes_and_is_paid_once(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        with ledger.entry("label@articles"):
            here.run("label", oracle=oracle(server))
        assert json.loads(Path(".winnow/ledger.jsonl").read_text())["articles_per_second"] > 0
        labels, use = here.table("label/labels.parquet"), here.table("label/oracle.parquet").iloc[0]
        assert len(labels) == len(here.table("filter/articles.parquet"))
        assert (use["prompt_tokens"], use["completion_tokens"], use["thinking_tokens"]) != (0, 0, 0)
        count = len(server.requests)
        assert max(server.delivered.values()) <= 3, "plain, and once more for the repeat and for the reversed probe"
        told = here.metrics("label")["oracle"]
        assert told["requests"] == count, "an answer that calibration and the batch both read is counted once"
        assert told["cost_usd"] == pytest.approx(count * PRICE, abs=1e-6)
        first = {file.name: file.read_bytes() for file in Path("data/articles/label").iterdir()}
        here.run("label", oracle=oracle(server))
        assert len(server.requests) == count, "a second run pays nothing"
        assert first == {file.name: file.read_bytes() for file in Path("data/articles/label").iterdir()}
        found = rounds.rounds(FILTER)
        assert [each.verdict for each in found] == ["PASS", "PASS"]
        assert found[0].paid_usd > 0 == found[1].paid_usd
        assert rounds.summary(FILTER) == f"1 prompt tried for uplifting/v1 so far, ${found[0].paid_usd:.2f}"
    scores = here.table("label/scores.parquet").set_index(["article_id", "dimension"])["score"]
    articles = here.table("ingest/articles.parquet").set_index("article_id")
    for name in labels["article_id"][:20]:
        text = article_text(*articles.loc[name, ["title", "content"]])
        assert scores[name].to_dict() == pytest.approx(json.loads(good(definition)(text, definition.names)))


def test_a_moved_target_changes_the_verdict_alone(here: Programs, definition: Definition) -> None:
    """Neither what is paid nor what trainings depend on: the stage's outputs but the report."""
    with OracleServer(good(definition)) as server:
        here.run("label", oracle=oracle(server))
        first = {file.name: file.read_bytes() for file in Path("data/articles/label").iterdir()}
        asked, report = len(server.requests), Path("metrics/articles/calibration_report.md").read_text()
        assert "repeats.parquet" in first
        moved = {"gates": {"separation": {"target": 0.31, "review": 0.17}}}
        here.run("label", oracle=oracle(server), calibration=moved)
        assert first == {file.name: file.read_bytes() for file in Path("data/articles/label").iterdir()}
        assert len(server.requests) == asked
        told = Path("metrics/articles/calibration_report.md").read_text()
        assert told != report
        assert "| 0.31 | 0.17 | PASS |" in told
        moved = {"gates": {"separation": {"target": 0.99, "review": 0.98}}}
        with pytest.raises(PromptRefusedError, match="FAIL"):
            here.run("label", oracle=oracle(server), calibration=moved)
        assert len(server.requests) == asked
    with pytest.raises(ValueError, match="gates.separation: target \\(0.1\\) is below review"):
        here.section("label", calibration={"gates": {"separation": {"target": 0.1, "review": 0.2}}})
    with pytest.raises(ValueError, match="gates.order_shift: target \\(0.3\\) is above review"):
        here.section("label", calibration={"gates": {"order_shift": {"target": 0.3, "review": 0.2}}})


def test_asking_again_after_malformed_answers_does_not_pass_the_gate_and_asking_all_again_does(
    here: Programs, definition: Definition
) -> None:
    """The server answers well since: the first attempts stay counted until everything is asked, and paid, again."""
    right = good(definition)
    content = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").unlink()
    with OracleServer(lambda article, names: "Sorry" if lot(article) < 0.2 else right(article, names)) as server:
        content["articles"]["label"] = here.section("label", oracle=oracle(server)).model_dump()
        Path("params.yaml").write_text(yaml.safe_dump(content))
        refused = run_cli("calibrate")
        assert isinstance(refused.exception, PromptRefusedError)
        assert "--retry all" in refused.exception.fix
        assert refused.stdout.count("broke the schema") == 1
        assert "broke the schema" not in refused.exception.what, "said above"
        first = rounds.rounds(FILTER)[-1].verdict
        server.answer, asked = right, len(server.requests)
        assert run_cli("label", "--retry", "malformed").exit_code == 0
        again = run_cli("calibrate")
        assert isinstance(again.exception, PromptRefusedError), "rolled again"
        assert rounds.rounds(FILTER)[-1].verdict == first
        assert 0 < len(server.requests) - asked < 15, "the malformed ones alone"
        share = re.findall(r"parse_failures \| ([0-9.]+)", Path("metrics/articles/calibration_report.md").read_text())
        assert float(share[0]) > 0.1
        asked = len(server.requests)
        assert run_cli("label", "--retry", "all").exit_code == 0
        passed = run_cli("calibrate")
        assert passed.exit_code == 0, passed.output
        assert len(server.requests) - asked == 2 * 33, "both samples, each with its probes"
        assert "| parse_failures | 0.000 |" in Path("metrics/articles/calibration_report.md").read_text()


def test_dimensions_that_are_one_constant_repeat_each_other(definition: Definition) -> None:
    names = [f"a{n}" for n in range(6)]
    sample = pd.DataFrame({"article_id": names, "topic": ["on"] * 3 + ["off"] * 3})
    labelled = [Labelled(name, dict.fromkeys(definition.names, 5.0)) for name in names]
    gates = Programs.tiny("articles").section("label").calibration.gates
    human = pd.DataFrame({"article_id": [], "dimension": [], "score": []})
    checks = {each.name: each for each in measure(definition, sample, labelled, {}, human, gates).checks}
    count = len(definition.names)
    assert (checks["dead_dimensions"].value, checks["dead_dimensions"].word) == (count, "FAIL")
    assert checks["duplicate_dimensions"].value == count * (count - 1) / 2
    assert checks["duplicate_dimensions"].word != "PASS"


def test_of_fewer_than_three_answers_only_what_broke_is_told(definition: Definition) -> None:
    """No figure of scores says anything of two articles."""
    sample = pd.DataFrame({"article_id": ["a", "b", "c", "d"], "topic": ["on", "on", "on", "off"]})
    labelled = [Labelled(name, dict.fromkeys(definition.names, 5.0)) for name in "ab"]
    labelled += [Labelled(name, None, (reason,)) for name, reason in (("c", "no JSON"), ("d", "refused"))]
    gates = Programs.tiny("articles").section("label").calibration.gates
    human = pd.DataFrame({"article_id": [], "dimension": [], "score": []})
    found = measure(definition, sample, labelled, {}, human, gates)
    assert [(each.name, each.value, each.word) for each in found.checks] == [("parse_failures", 0.5, "FAIL")]
    assert found.word == "FAIL"
    assert (found.agreement, found.means, len(found.overall)) == ([], {}, 0)
    assert found.failures == [("c", "no JSON"), ("d", "refused")]
    assert found.counts == {"on": 3, "off": 1}


def test_a_pass_by_other_targets_is_none(here: Programs, definition: Definition) -> None:
    params = here.section("label")
    strict = params.calibration.gates.model_copy(update={"order_shift": Bound(target=0.01, review=0.02)})
    other = params.model_copy(update={"calibration": params.calibration.model_copy(update={"gates": strict})})
    with (
        labelling.open_labeller(definition, params, 0) as labeller,
        labelling.open_labeller(definition, other, 0) as second,
    ):
        rounds.record(rounds.Round(FILTER, labeller.prompt, labeller.judged, "PASS", "", 0.0, labeller.gates))
        check_passed(labeller, FILTER)
        with pytest.raises(WinnowError, match="has not passed"):
            check_passed(second, FILTER)


def test_a_round_that_was_stopped_is_in_the_ledger_with_what_it_cost(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server, pytest.raises(WinnowError, match="max_cost_usd"):
        here.run("label", oracle=oracle(server, max_tokens=100, concurrency=1), max_cost_usd=8 * PRICE)
    (found,) = rounds.rounds(FILTER)
    assert found.verdict == "STOPPED"
    assert found.paid_usd == pytest.approx(len(server.requests) * PRICE)
    assert not rounds.has_passed(FILTER, found.prompt, found.oracle, found.gates)
    rounds.record(dataclasses.replace(found, verdict="PASS"))
    rounds.record(found)
    assert rounds.has_passed(FILTER, found.prompt, found.oracle, found.gates), "a STOPPED round says nothing"


@pytest.mark.parametrize("line", ['{"filter": "uplifting/v1", "grade": "PASS"}', "{not JSON}", '{"prompt": "a"}'])
def test_a_line_of_the_ledger_that_is_no_round_is_named(here: Programs, line: str) -> None:
    rounds.record(rounds.Round("uplifting/v1", "p", "o", "PASS", "", 0.5))
    with rounds.ledger_file().open("a") as ledger_file:
        ledger_file.write(f"{line}\n")
    with pytest.raises(WinnowError, match="no calibration round") as caught:
        rounds.has_passed("uplifting/v1", "p", "o", "g")
    assert "rounds.jsonl:2" in str(caught.value)


def test_calibration_needs_articles_that_this_filter_has_marked(here: Programs, definition: Definition) -> None:
    content = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").unlink()
    content["articles"]["common"]["definition"] = "sustainability_tech_deployment/v1"
    with OracleServer(good(definition)) as server:
        content["articles"]["label"]["oracle"] |= oracle(server)
        Path("params.yaml").write_text(yaml.safe_dump(content))
        refused = run_cli("calibrate")
    assert isinstance(refused.exception, WinnowError)
    assert "prepared by another filter" in refused.exception.what
    assert not server.requests


def run_cli(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_the_command_line_calibrates_first_and_labels_then(here: Programs, definition: Definition) -> None:
    rows = [{"id": n, "title": "", "content": f"{n} volunteers rebuilt it", "page": n} for n in range(7)]
    Path("more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "no json\n")
    with OracleServer(good(definition)) as server:
        content = yaml.safe_load(Path("params.yaml").read_text())
        Path("params.yaml").unlink()
        label = here.section("label", oracle=oracle(server), batch_size=3)
        assert isinstance(label, Label)
        content["articles"]["label"] = label.model_dump()
        Path("params.yaml").write_text(yaml.safe_dump(content))

        refused = run_cli("label", "more.jsonl", "--out", "out/labelled.jsonl")
        assert isinstance(refused.exception, WinnowError)
        assert "has not passed" in refused.exception.what
        assert not server.requests, "nothing is spent before a prompt has passed"

        passed = run_cli("calibrate")
        assert passed.exit_code == 0, passed.output
        assert "PASS: proceed" in passed.output
        told = re.findall(r"(\d+) questions to ask: (about )?", passed.stderr)
        assert told == [("33", ""), ("33", "about ")], "before each sample, 25 articles and the probes"
        (passed_round,) = rounds.rounds(FILTER)
        told = (
            hash_of(definition, rationale=False),
            f"stub/0/1000 at {server.url}, 8000 characters",
            passed_round.gates,
        )
        assert rounds.has_passed(FILTER, *told)

        before = len(server.requests)
        done = run_cli("label", "more.jsonl", "--out", "out/labelled.jsonl", "--max-batches", "2")
        assert json.loads(done.stdout)["labelled"] == 6
        most = re.search(r"6 questions to ask: about \$0.00, at most \$(\d\.\d\d); \$10.00 left\n  3 art", done.stderr)
        assert most, "what it may cost is told before anything is asked, by what calibration's answers cost"
        assert float(most[1]) >= 6 * PRICE
        assert len(server.requests) == before + 6
        done = run_cli("label", "more.jsonl", "--out", "out/labelled.jsonl")
        assert {key: json.loads(done.stdout)[key] for key in ("labelled", "malformed", "rejected")} == {
            "labelled": 7, "malformed": 0, "rejected": 1,
        }  # fmt: skip
        assert done.stderr.count("row 8 is left out: not valid JSON") == 1
        assert re.search(rf"1 questions to ask: about \${PRICE:.2f}, at most", done.stderr), "as the others cost"
        assert done.exit_code == 1
        assert len(server.requests) == before + 7
        written = [json.loads(line) for line in Path("out/labelled.jsonl").read_text().splitlines()]
        assert [row["page"] for row in written] == list(range(7))
        analysis = written[0]["uplifting_analysis"]
        assert list(analysis["dimensions"]) == definition.names
        assert analysis["overall"] == pytest.approx(
            sum(analysis["dimensions"][name] for name in definition.config.tiers.of) / len(definition.config.tiers.of),
            abs=1e-4,
        )
        band = next(each for each in definition.config.tiers.bands if each.name == analysis["tier"])
        assert band.minimum <= analysis["overall"] <= band.maximum
        assert "7 articles are outside of prefilter.yaml (7 too_few_words)" in done.stderr

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(OpenAIOracle, "ask", lambda *_: 1 / 0)
            Path("new.jsonl").write_text(json.dumps({"id": "new", "content": "a new one"}) + "\n")
            assert run_cli("label", "new.jsonl", "--out", "out/labelled.jsonl").exit_code == 1
        kept = [json.loads(line) for line in Path("out/labelled.jsonl").read_text().splitlines()]
        assert kept == written, "a run that was stopped leaves what stood there"
        assert [file.name for file in Path("out").iterdir()] == ["labelled.jsonl"]

        for changes in ({"base_url": server.url + "/other"}, {"max_characters": 100}):
            content["articles"]["label"] = label.model_copy(update={"oracle": settings(server, **changes)}).model_dump()
            Path("params.yaml").write_text(yaml.safe_dump(content))
            refused = run_cli("label", "more.jsonl", "--out", "out/labelled.jsonl")
            assert "has not passed" in str(refused.exception), "another oracle, and shorter articles, have to pass anew"
        refused = run_cli("label", "more.jsonl", "--out", "./more.jsonl")
        assert "is the file that is read" in str(refused.exception)
        assert "no regular file" in str(run_cli("label", "more.jsonl", "--out", "/dev/null").exception)
        assert len(Path("more.jsonl").read_text().splitlines()) == 8
        content["articles"]["label"] = label.model_dump()
        Path("params.yaml").write_text(yaml.safe_dump(content))

        for name, old, new in (("prompt.md", "", "Be strict. "), ("config.yaml", "people are passive", "all wait")):
            file = Path("data/source/articles/filters/uplifting/v1", name)
            text = file.read_text()
            try:
                file.write_text(text.replace(old, new, 1))
                refused = run_cli("label", "more.jsonl", "--out", "out/labelled.jsonl")
                assert "has not passed" in str(refused.exception), "another prompt or description has to pass anew"
            finally:
                file.write_text(text)


def test_the_injection_is_the_probes_alone(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        here.run("label", oracle=oracle(server))
        injected = [text for text in server.requests if INJECTION.format(high=10.0) in text]
    assert len(injected) == 2 * here.section("label").calibration.probes
    assert all(max(score_words(text, definition).values()) < 5 for text in injected), (
        "off-topic articles, which score low"
    )


def test_the_samples_share_no_article(here: Programs) -> None:
    kept = here.table("filter/articles.parquet")
    params = here.section("label", calibration=SIZES).calibration
    first, second = draw_samples(kept, params)
    assert first["topic"].value_counts().to_dict() == {"on": 15, "off": 15, "edge": 5}
    assert not set(first["article_id"]) & set(second["article_id"])
    same, other = draw_samples(kept, params.model_copy(update={"validation_seed": 7}))
    assert same.equals(first)
    assert set(other["article_id"]) != set(second["article_id"]), "each sample has a seed of its own"
    other, _ = draw_samples(kept, params.model_copy(update={"seed": 7}))
    assert set(other["article_id"]) != set(first["article_id"])


def test_no_near_duplicate_of_a_calibration_article_is_in_the_validation_sample(here: Programs) -> None:
    kept = here.table("filter/articles.parquet").sort_values("article_id", ignore_index=True)
    groups = kept.groupby("topic").cumcount().floordiv(2)  # two articles of a topic say nearly the same
    first = kept.groupby([kept["topic"], groups])["article_id"].transform("first")
    kept = kept.assign(duplicate_group=first)
    params = here.section("label", calibration={"on_topic": 40, "off_topic": 15, "edge": 15}).calibration
    for scored in ((), kept["article_id"][::3]):
        samples = draw_samples(kept, params, scored)
        groups = [sample["duplicate_group"] for sample in samples]
        assert not set(groups[0]) & set(groups[1])
        assert not any(own.duplicated().any() for own in groups), "nor twice in one sample"


def test_a_verdict_is_the_last_finished_rounds(here: Programs) -> None:
    def passed(*verdicts: str) -> bool:
        rounds.ledger_file().unlink(missing_ok=True)
        for verdict in verdicts:
            rounds.record(rounds.Round(FILTER, "prompt", "oracle", verdict, "", 0.0, "gates"))
        return rounds.has_passed(FILTER, "prompt", "oracle", "gates")

    assert passed("FAIL", "PASS")
    assert not passed("PASS", "FAIL"), "an old PASS says nothing after a later FAIL"
    assert not passed("PASS", "REVIEW")
    assert passed("FAIL", "PASS", "STOPPED")
    assert not passed("STOPPED")


def test_all_that_an_oracle_reads_of_a_filter_needs_a_calibration_of_its_own(definition: Definition) -> None:
    """What it does not read, such as keywords and tiers, needs none."""
    config = definition.config
    first = config.dimensions[0]

    def changed(**values: Any) -> Definition:
        return definition.model_copy(update={"config": config.model_copy(update=values)})

    def with_first(**values: Any) -> Definition:
        return changed(dimensions=[first.model_copy(update=values), *config.dimensions[1:]])

    read = [
        definition.model_copy(update={"prompt": definition.prompt + " Be strict."}),
        with_first(description="how much people act"),
        with_first(name="courage"),
        changed(dimensions=config.dimensions[::-1]),
        changed(dimensions=config.dimensions[1:]),
        changed(scale=config.scale.model_copy(update={"high": 5.0})),
    ]
    example = Example(title="", content="A school.", scores=dict.fromkeys(config.names, 5.0), rationale="So so.")
    shown = definition.model_copy(update={"examples": [example]})
    better = definition.model_copy(update={"examples": [example.model_copy(update={"content": "Another school."})]})
    hashes = {hash_of(each, rationale=False) for each in (definition, *read, shown, better)}
    hashes |= {hash_of(each, rationale=True) for each in (definition, shown)}
    assert len(hashes) == 3 + len(read) + 2
    unread = [with_first(keywords=["brave"]), changed(description="other news"), changed(analysis_field="other")]
    assert {hash_of(each, rationale=False) for each in unread} == {hash_of(definition, rationale=False)}


def test_articles_with_scores_of_people_come_first_half_of_them_in_each_sample(here: Programs) -> None:
    kept = here.table("filter/articles.parquet")
    params = here.section("label", calibration=SIZES).calibration
    unique = kept.drop_duplicates("duplicate_group")
    scored = set(unique.groupby("topic")["article_id"].head(8))
    for sample in draw_samples(kept, params, scored):
        own = sample[sample["article_id"].isin(scored)]
        assert own["topic"].value_counts().to_dict() == {"on": 4, "off": 4, "edge": 4}


def test_the_report_says_what_the_verdict_rests_on(here: Programs, definition: Definition) -> None:
    with OracleServer(good(definition)) as server:
        here.run("label", oracle=oracle(server))
        told = Path("metrics/articles/calibration_report.md").read_text()
        assert told.count("Articles: 10 on-topic, 10 off-topic, 5 edge cases. Agreement with people: measured.") == 2
        share = wilson(0, 10, 0.95).high
        assert f"above 5 in agency, the most of all, which in all articles may be 0% to {share:.0%}" in told
        scores = here.table("ingest/scores.parquet")
        data = Path("data").resolve()
        Path("data").unlink()
        shutil.copytree(data, "data")
        write_table(Path("data/articles/ingest/scores.parquet"), scores.iloc[:0], ScoresTable)
        here.run("label", oracle=oracle(server))
        told = Path("metrics/articles/calibration_report.md").read_text()
        assert told.count("Agreement with people: not checked") == 2


def test_a_probe_asks_about_the_articles_that_it_is_about() -> None:
    topics = ["on", "off", "edge"] * 4
    sample = pd.DataFrame({"article_id": [f"{topic}{n}" for n, topic in enumerate(topics)], "topic": topics})
    assert probe_articles(sample, 3) == {
        "repeat": ["on0", "off1", "on3"],
        "reversed": ["on0", "on3", "on6"],
        "doubled": ["on0", "on3", "on6"],
        "injected": ["off1", "off4", "off7"],
    }
