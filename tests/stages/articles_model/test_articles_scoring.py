"""Files that a trained scorer scores."""

import gzip
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from transformers import tokenization_utils_base
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.articles import inference
from winnow.domains.articles.cli import app
from winnow.domains.articles.definitions import SourceRules, WordRules, scoring_of
from winnow.domains.articles.model.scoring import TrainedScorer, load_scorer
from winnow.domains.articles.rules.prefilter import Sieve
from winnow.domains.articles.source.carried import carried, prefilter_of
from winnow.domains.articles.source.filters import read_filter
from winnow.learn.folder import TrainedModel, copy_model
from winnow.pipeline.errors import WinnowError


def test_scoring_a_file_goes_on_where_it_stopped(here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    here.run("train")
    rows = [{"id": n, "title": f"T{n}", "content": "volunteers rebuilt it " * (n % 5 + 1)} for n in range(40)]
    lines = [json.dumps(row) for row in rows]
    lines[7] = "{broken"
    Path("in.jsonl").write_text("\n".join(lines) + "\n")
    runner = CliRunner()
    first = runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
    assert first.exit_code == 1, "a line was refused"
    whole = Path("whole.jsonl").read_bytes()
    found = [json.loads(line) for line in whole.splitlines()]
    assert [row.get("id", row.get("row", 0) - 1) for row in found] == list(range(40)), "rows count from 1"
    assert "not valid JSON" in found[7]["error"]

    def stopped_after(blocks: int) -> Path:
        """What a run leaves that is stopped after so many blocks of articles."""
        with monkeypatch.context() as patch:
            calls = iter(range(blocks))

            def scored(*given: Any, **more: Any) -> Any:
                if next(calls, None) is None:
                    raise KeyboardInterrupt
                return score(*given, **more)

            score = TrainedScorer.score
            patch.setattr(TrainedScorer, "score", scored)
            runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
        (part,) = Path().glob("whole.jsonl.*.part")
        return part

    monkeypatch.setattr(inference, "BLOCK", 10)
    part = stopped_after(2)
    assert Path("whole.jsonl").read_bytes() == whole, "what is complete stays until the new one is complete"
    assert part.read_bytes() == b"".join(whole.splitlines(keepends=True)[:20])
    part.write_bytes(part.read_bytes()[:-5])
    again = runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
    assert '"already_scored": 18' in again.output
    assert '"refused": 1' in again.output
    assert [json.loads(line).get("id") for line in Path("whole.jsonl").read_text().splitlines()] == [
        row.get("id") for row in found
    ]
    assert not list(Path().glob("*.part"))

    part = stopped_after(3)
    Path("in.jsonl").write_text("\n".join(reversed(lines)) + "\n")
    edited = runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
    assert '"already_scored": 0' in edited.output, "a file that was edited is scored anew"
    assert json.loads(Path("whole.jsonl").read_text().splitlines()[0])["id"] == 39
    part.unlink()
    Path("in.jsonl").write_text("\n".join(lines) + "\n")

    old = stopped_after(3)
    here.run("train", learning_rate=0.02)
    other = runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
    assert '"already_scored": 0' in other.output, "another model does not go on with this one's scores"
    assert Path("whole.jsonl").read_bytes() != whole
    assert old.exists()

    refused = runner.invoke(app, ["score", "in.jsonl", "--out", "./in.jsonl"])
    assert isinstance(refused.exception, WinnowError)
    assert Path("in.jsonl").read_text() == "\n".join(lines) + "\n"
    odd = ['{"id": 1, "content": "\\ud800"}', '{"id": [], "content": "x"}', '{"id": 2, "content": " "}', "7", "\udcff"]
    Path("odd.jsonl").write_bytes("\n".join(odd).encode(errors="surrogateescape"))
    runner.invoke(app, ["score", "odd.jsonl", "--out", "refused.jsonl"])
    told = [json.loads(line) for line in Path("refused.jsonl").read_text().splitlines()]
    assert all("error" in row and "scores" not in row for row in told)
    assert [row.get("id", row.get("row")) for row in told] == [1, 2, 2, 4, 5], "by its id, else by its line"


def test_a_filter_of_four_dimensions_goes_from_its_folder_to_a_scored_file(here: Programs) -> None:
    folder = Path("data/source/articles/filters")
    shutil.copytree(folder / "uplifting/v1", folder / "newsroom/v3")
    config = yaml.safe_load((folder / "newsroom/v3/config.yaml").read_text())
    names = [each["name"] for each in config["dimensions"][:4]]
    bands = [{"name": "minor", "minimum": 0, "maximum": 0.3}, {"name": "front", "minimum": 0.3, "maximum": 1}]
    config |= {"name": "newsroom", "version": 3, "dimensions": config["dimensions"][:4], "analysis_field": "desk"}
    config |= {"scale": {"low": 0, "high": 1}, "tiers": {"of": names[1:], "bands": bands}}
    (folder / "newsroom/v3/config.yaml").write_text(yaml.safe_dump(config))
    for stage in (*DATA_STAGES, "train", "evaluate"):
        changes = {"oracle": {"noise": 0.05}} if stage == "label" else {}
        here.run(stage, common={"definition": "newsroom/v3"}, **changes)
    rows = [{"id": n, "title": "T", "content": "volunteers rebuilt the school together " * n} for n in range(1, 6)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = CliRunner().invoke(app, ["score", "in.jsonl", "--out", "out.jsonl"])
    assert done.exit_code == 0, done.output
    scored = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in scored] == [1, 2, 3, 4, 5]
    for row in scored:
        dimensions, overall = row["desk"]["dimensions"], row["desk"]["overall"]
        assert list(dimensions) == names
        assert all(0 <= score <= 1 for score in dimensions.values())
        assert overall == pytest.approx(np.mean([dimensions[name] for name in names[1:]]), abs=1e-4)
        assert row["desk"]["tier"] == ("front" if overall >= 0.3 else "minor")


def test_a_gzip_file_and_articles_with_odd_dates_are_scored(here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    here.run("train")
    rows = [{"id": n, "content": "they rebuilt it " * (n % 5 + 1), "published": "31/01/2019"} for n in range(30)]
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    Path("in.jsonl").write_bytes(text)
    Path("in.jsonl.gz").write_bytes(gzip.compress(text))
    Path("broken.jsonl.gz").write_bytes(gzip.compress(text)[:-20])
    runner = CliRunner()
    for name in ("in.jsonl", "in.jsonl.gz"):
        done = runner.invoke(app, ["score", name, "--out", f"{name}.out"])
        assert done.exit_code == 0, done.output
        assert '"scored": 30' in done.output
    assert Path("in.jsonl.out").read_bytes() == Path("in.jsonl.gz.out").read_bytes()
    broken = runner.invoke(app, ["score", "broken.jsonl.gz", "--out", "broken.out"])
    assert isinstance(broken.exception, WinnowError)
    assert "broken.jsonl.gz cannot be read" in broken.exception.what
    assert not Path("broken.out").exists()
    Path("titles.csv").write_text("id,headline\n1,The town\n")
    assert isinstance(runner.invoke(app, ["score", "titles.csv", "--out", "titles.out"]).exception, WinnowError)
    assert not list(Path().glob("titles.out*")), "an empty file of a run that scored nothing"
    again = runner.invoke(app, ["score", "in.jsonl", "--out", "in.jsonl.out"])
    assert "in.jsonl.out was there already and is replaced" in again.stderr
    Path("letter.txt").write_bytes("The town – rebuilt\n\nits café.\n".encode("cp1252"))
    done = runner.invoke(app, ["score", "letter.txt"])
    assert json.loads(done.stdout)["id"] == "letter"
    assert "taken as one article" in done.stderr
    Path("in.txt").write_bytes(text)
    assert '"scored": 30' in runner.invoke(app, ["score", "in.txt", "--out", "txt.out"]).output, "JSONL by another name"


def test_a_file_of_another_kind_is_told_what_is_read(tmp_path: Path) -> None:
    for name, content in (("letter.docx", b"PK\x03\x04"), ("whole.json", b'[{"id": 1, "content": "words"}]')):
        file = tmp_path / name
        file.write_bytes(content)
        refused = CliRunner().invoke(app, ["score", str(file)]).exception
        assert isinstance(refused, WinnowError)
        assert ".jsonl" in refused.fix
        assert ".txt (one article)" in refused.fix


RULES = """\
min_words: 4
max_words: 20000
languages: [en]
keep: {words: [], patterns: []}
drop: {words: [], patterns: ["press release"]}
sources: {keep: [], drop: [wire]}
dates: {first: null, last: null}
topic: {on_topic: [the], off_topic: [], enough: 1}
"""


OUTSIDE: dict[str, tuple[dict[str, str], str | None]] = {
    "kept": ({"content": "they rebuilt the school of the town and it is for all"}, None),
    "short": ({"content": "the school"}, "too_few_words"),
    "german": ({"content": "sie haben die Schule und das Haus nicht mit den Leuten gebaut"}, "wrong_language"),
    "said": ({"content": "sie haben die Schule und das Haus nicht mit den Leuten", "language": "en"}, None),
    "dropped": ({"content": "the press release of the town is in the school"}, "dropped_pattern"),
    "source": ({"content": "they rebuilt the school of the town and it is", "source": "wire"}, "wrong_source"),
}


def test_score_marks_what_the_prefilter_would_have_left_out(
    here: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the checkout and by an exported folder alone; the scores stay, and a raw folder from elsewhere marks none."""
    for stage in ("train", "evaluate"):
        here.run(stage)
    Path("data/source/articles/filters/uplifting/v1/prefilter.yaml").write_text(RULES)
    rows = [{"id": name, **row} for name, (row, _) in OUTSIDE.items()]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def score(*model: str) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
        Path("out.jsonl").unlink(missing_ok=True)
        done = CliRunner().invoke(app, ["score", "in.jsonl", "--out", "out.jsonl", *model], catch_exceptions=False)
        found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
        return found, json.loads(done.stdout), done.stderr

    found, told, said = score()
    assert {each["id"]: each.get("prefilter") for each in found} == {name: rule for name, (_, rule) in OUTSIDE.items()}
    assert told["outside_prefilter"] == 4
    assert told["scored"] == len(rows)
    assert "outside of the filter: 4 of 6 scored texts" in said
    folder_copied = shutil.copytree("data/articles/train/model", tmp_path / "raw")
    given = copy_model("articles", tmp_path / "given", carried())
    (tmp_path / "elsewhere").mkdir()
    shutil.copy("in.jsonl", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    exported, told, _ = score("--model", str(given))
    assert exported == found
    assert told["outside_prefilter"] == 4
    raw, told, _ = score("--model", str(folder_copied))
    assert "outside_prefilter" not in told
    assert not any("prefilter" in each for each in raw)
    assert [each["uplifting_analysis"] for each in raw] == [each["uplifting_analysis"] for each in found]
    for name, given_file in (("out.csv", "in.jsonl"), ("out.jsonl.gz", "in.jsonl"), ("out.jsonl", ".")):
        refused = CliRunner().invoke(app, ["score", given_file, "--out", name, "--model", str(given)])
        assert isinstance(refused.exception, WinnowError)
        assert "does not exist" not in refused.exception.what
        assert ".jsonl" in refused.exception.fix


def test_a_text_that_is_longer_than_the_model_reads_is_told(here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    here.run("train")
    scorer = load_scorer(torch.device("cpu"))
    most, added = scorer.network.max_length, len(scorer.tokenizer("")["input_ids"])
    texts = [" ".join(["the"] * count) for count in (most - added, most - added + 1)]
    assert [len(scorer.tokenizer(each)["input_ids"]) for each in texts] == [most, most + 1], "a word is a token"
    scorer.tokenizer.model_max_length = most  # as that of a network with so many positions
    monkeypatch.setattr(tokenization_utils_base.logger, "warning", lambda *told: pytest.fail(f"its own advice: {told}"))
    assert scorer.cut([*texts, "the"]) == [False, True, False]
    rows = [{"id": name, "content": each} for name, each in zip(("whole", "cut"), texts, strict=True)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"content": "x"}]))
    done = CliRunner().invoke(app, ["score", "in.jsonl", "--out", "out.jsonl"])
    found = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [each.get("read_tokens") for each in found] == [None, most, None]
    assert json.loads(done.stdout)["cut"] == 1
    assert "longer than the network reads: 1 of 2 scored texts" in done.stderr
    assert "not scored: 1 of 3;" in done.stderr


def test_a_folder_of_texts_and_standard_input_are_scored(here: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    here.run("train")
    folder = Path("texts")
    (folder / "deeper").mkdir(parents=True)
    contents = {"b.txt": "a school in the storm", "a.TXT": "volunteers rebuilt it", "c.txt": " ", "d.md": "a town"}
    for name, content in contents.items():
        (folder / name).write_text(content)
    rows = [{"id": name, "content": contents[file]} for name, file in (("a", "a.TXT"), ("b", "b.txt"))]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    Path("in.jsonl").write_text(lines)
    expected = CliRunner().invoke(app, ["score", "in.jsonl"]).stdout.splitlines()
    of_folder = CliRunner().invoke(app, ["score", "texts"])
    assert of_folder.exit_code == 1
    assert "3 texts of texts, each .txt an article" in of_folder.stderr
    told = of_folder.stdout.splitlines()
    assert [json.loads(line) for line in told[:2]] == [json.loads(line) for line in expected]
    assert json.loads(told[2]) == {"row": 3, "id": "c", "error": "the content is blank, or no text"}
    assert CliRunner().invoke(app, ["score", "-"], input=lines).stdout.splitlines() == expected
    typed = json.loads(CliRunner().invoke(app, ["score", "-"], input=contents["b.txt"]).stdout)
    assert typed == {**json.loads(expected[1]), "id": "stdin"}
    refused = CliRunner().invoke(app, ["score", "texts/deeper"]).exception
    assert isinstance(refused, WinnowError)
    assert "holds no .txt" in refused.what


def test_a_csv_without_ids_is_scored_with_the_numbers_of_its_rows(here: Programs) -> None:
    here.run("train")
    Path("in.csv").write_text("Text,Title\na school in the storm,one\n,two\nvolunteers rebuilt it,three\n")
    Path("in.jsonl").write_text(
        '{"id": 1, "title": "one", "content": "a school in the storm"}\n{"id": 2, "title": "two"}\n'
        '{"id": 3, "title": "three", "content": "volunteers rebuilt it"}\n'
    )
    expected, found = (CliRunner().invoke(app, ["score", name]) for name in ("in.jsonl", "in.csv"))
    assert found.stdout == expected.stdout
    assert [json.loads(line)["id"] for line in found.stdout.splitlines()] == [1, 2, 3]
    Path("in.csv").write_text("id,text\n7,a school\n,a storm\n")
    told = [json.loads(line) for line in CliRunner().invoke(app, ["score", "in.csv"]).stdout.splitlines()]
    assert [(each.get("id"), "error" in each) for each in told] == [("7", False), (None, True)], "a gap is not filled"


def test_a_stopped_scoring_of_a_folder_is_begun_anew_when_a_text_has_changed(tmp_path: Path) -> None:
    texts, out = tmp_path / "texts", tmp_path / "out.jsonl"
    texts.mkdir()
    (texts / "a.txt").write_text("one")
    first = inference._part_of(out, texts, tmp_path / "texts", None)
    (texts / "b.txt").write_text("two")
    model = tmp_path / "model"
    model.mkdir()
    before = inference._part_of(out, texts, model, None)
    assert inference._part_of(out, texts, model, None) == before
    (texts / "a.txt").write_text("more")
    assert inference._part_of(out, texts, model, None) not in {before, first}


def test_a_resumed_run_remembers_the_lines_that_were_refused(here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    here.run("train")
    lines = ["{broken", *(json.dumps({"id": n, "content": "a school"}) for n in range(20)), "{broken"]
    Path("in.jsonl").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(inference, "BLOCK", 5)
    turns, score = iter(range(2)), TrainedScorer.score

    def stopped(*given: Any, **more: Any) -> Any:
        if next(turns, None) is None:
            raise KeyboardInterrupt
        return score(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(TrainedScorer, "score", stopped)
        CliRunner().invoke(app, ["score", "in.jsonl", "--out", "out.jsonl"])
    done = CliRunner().invoke(app, ["score", "in.jsonl", "--out", "out.jsonl"])
    assert '"already_scored": 9' in done.output
    assert '"refused": 2' in done.output
    assert done.exit_code == 1
    scored = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["row"] for row in scored if "error" in row] == [1, 22], "lines of the file, not of this run"


@pytest.mark.parametrize("damage", [b"\x00" * 40 + b"\n", b'{"id": "b"\n', b'["id"]\n', b'{"id": "b"'])
def test_scoring_goes_on_before_the_first_line_that_a_crash_has_damaged(tmp_path: Path, damage: bytes) -> None:
    part, whole = tmp_path / "out.part", b'{"row": 1, "error": "x"}\n{"id": "a", "prefilter": "too_few_words"}\n'
    part.write_bytes(whole + damage + b'{"id": "c"}\n')
    assert inference._finished_lines(part) == {"lines": 2, "refused": 1, "marked": 1, "cut": 0}
    assert part.read_bytes() == whole


def test_scores_under_another_prefilter_are_begun_anew(tmp_path: Path) -> None:
    """Else half of the file would be marked by the one, half by the other."""
    (tmp_path / "model").mkdir()
    (tmp_path / "in.jsonl").touch()
    rules = read_filter("uplifting/v1", ROOT / "data/source/articles/filters").prefilter
    sieves = [None, Sieve(rules), Sieve(rules.model_copy(update={"min_words": rules.min_words + 1}))]
    out, source, model = (tmp_path / name for name in ("out.jsonl", "in.jsonl", "model"))
    parts = [inference._part_of(out, source, model, each) for each in sieves]
    assert len(set(parts)) == 3
    assert inference._part_of(out, source, model, Sieve(rules.model_copy())) == parts[1]


def test_a_model_of_another_checkout_has_that_ones_prefilter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("mine", "other"), 1):
        root = tmp_path / name
        shutil.copytree(ROOT / "data/source/articles/filters", root / "data/source/articles/filters")
        for folder in ("data/articles/train/model", "src/winnow"):
            (root / folder).mkdir(parents=True)
        for file in ("dvc.yaml", "params.yaml"):
            (root / file).touch()
        rules = root / "data/source/articles/filters/uplifting/v1/prefilter.yaml"
        rules.write_text(yaml.safe_dump({**yaml.safe_load(rules.read_text()), "min_words": number}))
        (root / "data/articles/train/model/training_metadata.json").write_text('{"filter": "uplifting/v1"}')
    monkeypatch.chdir(tmp_path / "mine")
    for model, expected in (("data", 1), (tmp_path / "other/data", 2)):
        found = prefilter_of(Path(model, "articles/train/model"))
        assert found is not None
        assert found.min_words == expected


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_where_no_source_is_named_it_is_the_format_by_which_ingest_would_call_it(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = read_filter("uplifting/v1", ROOT / "data/source/articles/filters")
    rules = {"min_words": 0, "languages": [], "keep": WordRules(words=[], patterns=[])}
    kept = definition.prefilter.model_copy(update={**rules, "sources": SourceRules(keep=["csv"], drop=[])})
    network = SimpleNamespace(scoring=scoring_of(definition.config))
    scores = np.full((1, len(definition.names)), 3.0)
    scorer = SimpleNamespace(network=network, score=lambda *_, **__: scores, cut=lambda texts: [False] * len(texts))
    monkeypatch.setattr(inference, "load_scorer", lambda *_: scorer)
    monkeypatch.setattr(inference, "sieve_of", lambda _: Sieve(kept))
    (tmp_path / "model").mkdir()
    source, out = tmp_path / f"in.{form}", tmp_path / "out.jsonl"
    source.write_text("id,content\na,a school\n" if form == "csv" else '{"id": "a", "content": "a school"}\n')
    inference.score_file(source, out, TrainedModel(tmp_path / "model", "PASS", ()), torch.device("cpu"))
    assert json.loads(out.read_text()).get("prefilter") == (None if form == "csv" else "wrong_source")
    line = b'{"id": "z", "prefilter": "too_few_words", "read_tokens": 8}\n'
    part = inference._part_of(out, source, tmp_path / "model", Sieve(kept))
    part.write_bytes(line)
    source_is_done = inference.score_file(
        source, out, TrainedModel(tmp_path / "model", "PASS", ()), torch.device("cpu")
    )
    before = {"scored": 0, "refused": 0, "already_scored": 1, "cut": 1, "outside_prefilter": 1}
    assert source_is_done == before, "of a run before"


@pytest.mark.parametrize("row", [{"text": "a school"}, {"content": "", "text": "a school"}, {"content": "a school"}])
def test_text_is_scored_where_there_is_no_content(row: dict[str, str]) -> None:
    found = inference._row(json.dumps({"id": "a", **row}).encode(), None, "jsonl")
    assert found == {"id": "a", "title": "", "content": "a school", "prefilter": None}


def test_a_file_that_breaks_off_leaves_what_was_scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begun(path: Path, part: Path, *_: object) -> None:
        part.write_text('{"id": "a"}\n')
        raise WinnowError(f"{path} is cut off", fix="copy it again")

    for name, found in (("load_scorer", None), ("sieve_of", None), ("_part_of", tmp_path / "out.part")):
        monkeypatch.setattr(inference, name, lambda *_, found=found: found)
    monkeypatch.setattr(inference, "_score_rest", begun)
    with pytest.raises(WinnowError, match="cut off"):
        inference.score_file(
            tmp_path / "in.jsonl.gz", tmp_path / "out", TrainedModel(tmp_path, "PASS", ()), torch.device("cpu")
        )
    assert (tmp_path / "out.part").read_text() == '{"id": "a"}\n', "the next run goes on after it"
