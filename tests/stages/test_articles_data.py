"""The data stages of articles: filters, formats, prefilter, duplicates, samples, split, weights."""

import gzip
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from datasketch import MinHash

from tests.conftest import ROOT
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Prefilter, overall_scores, scoring_of, tier_names
from winnow.domains.articles.rules.duplicates import SEED, near_duplicate_groups, shingles, sketched
from winnow.domains.articles.rules.prefilter import Sieve, broken_rule
from winnow.domains.articles.source.filters import known_filters, read_filter
from winnow.domains.articles.source.formats import NotAnArticle, article_of
from winnow.domains.articles.source.recognise import recognise
from winnow.pipeline.errors import ParamsError, SourceError, TableError

SHIPPED = ROOT / "data/source/articles/filters"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    monkeypatch.chdir(tmp_path)
    Path("data/source/articles").mkdir(parents=True)
    shutil.copytree(SHIPPED, "data/source/articles/filters")
    return Programs.tiny("articles")


def edit(file: str, change: Callable[[Any], Any]) -> None:
    path = Path("data/source/articles/filters/uplifting/v1", file)
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def test_filters_are_shipped() -> None:
    assert known_filters(SHIPPED) == [
        "ellipse/v1", "emobank/v1", "sustainability_tech_deployment/v1", "uplifting/v1",
    ]  # fmt: skip
    assert len(read_filter("uplifting/v1", SHIPPED).names) == 8


def test_a_third_filter_is_a_folder(here: Programs) -> None:
    folder = Path("data/source/articles/filters")
    shutil.copytree(folder / "uplifting/v1", folder / "kindness/v2")
    config = yaml.safe_load((folder / "kindness/v2/config.yaml").read_text())
    config |= {"name": "kindness", "version": 2, "dimensions": config["dimensions"][:3]}
    config["tiers"]["of"] = ["agency"]
    (folder / "kindness/v2/config.yaml").write_text(yaml.safe_dump(config))
    common = {"definition": "kindness/v2"}
    for stage in ("ingest", "filter", "label", "split"):
        here.run(stage, common=common)
    assert set(here.table("label/scores.parquet")["dimension"]) == {"agency", "progress", "collective_benefit"}
    scores = here.table("label/scores.parquet").query("dimension == 'agency'").set_index("article_id")["score"]
    labels = here.table("label/labels.parquet").set_index("article_id")
    assert labels["overall"].equals(scores.loc[labels.index].rename("overall"))


def unknown_dimension(config: Any) -> None:
    config["tiers"]["of"][1] = "agncy"


def overlapping(config: Any) -> None:
    config["tiers"]["bands"][1]["minimum"] = 2


def no_width(config: Any) -> None:
    config["tiers"]["bands"][1]["maximum"] = config["tiers"]["bands"][1]["minimum"]


def gap(config: Any) -> None:
    config["tiers"]["bands"][2]["minimum"] = 6


def gates_within(config: Any) -> None:
    config["gates"] = {"separation": {"target": 0.2, "review": 0.1}}


def unknown_key(config: Any) -> None:
    config["dimensions"][0]["descripton"] = "x"


def bad_pattern(prefilter: Any) -> None:
    prefilter["drop"]["patterns"] = ["(unclosed"]


def two_words(prefilter: Any) -> None:
    prefilter["drop"]["words"].append("buy now")


def two_words_of_the_topic(prefilter: Any) -> None:
    prefilter["topic"]["off_topic"].insert(0, "box office")


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.yaml", unknown_dimension, r"config\.yaml:\d+: `tiers\.of\[1\]`: there is no dimension 'agncy'"),
        ("config.yaml", overlapping, r"config\.yaml:\d+: `tiers\.bands\[1\]\.minimum`: it begins at 2 and overlaps"),
        ("config.yaml", no_width, r"`tiers\.bands\[1\]\.minimum`: [\d.]+ is not below the tier's maximum"),
        ("config.yaml", gap, r"config\.yaml:\d+: `tiers\.bands\[2\]\.minimum`: .*nothing covers 5 to there"),
        ("config.yaml", gates_within, r"config\.yaml:\d+: the gates of the calibration report are in params\.yaml"),
        ("config.yaml", unknown_key, r"config\.yaml:\d+: unknown key `dimensions\[0\]\.descripton`; did you mean"),
        ("prefilter.yaml", bad_pattern, r"prefilter\.yaml:\d+: `drop\.patterns\[0\]`: '\(unclosed' is no regular"),
        ("prefilter.yaml", two_words, r"`drop\.words\[3\]`: 'buy now' is not one word: write it under drop\.patterns"),
        (
            "prefilter.yaml",
            two_words_of_the_topic,
            r"`topic\.off_topic\[0\]`: 'box office' is not one word: name the words one by one",
        ),
    ],
)
def test_a_mistake_in_a_filter_is_named(here: Programs, file: str, change: Any, message: str) -> None:
    edit(file, change)
    with pytest.raises((SourceError, ParamsError), match=message):
        here.run("ingest")


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("prompt.md", " \n", r"the prompt is empty"),
        ("prompt.md", "caf\udce9", r"the prompt is not valid UTF-8"),
        ("config.yaml", "name: [uplifting\n", r"config\.yaml is not valid YAML"),
        ("prefilter.yaml", "", r"prefilter\.yaml is not a mapping"),
    ],
)
def test_a_file_of_a_filter_that_cannot_be_read_is_named(here: Programs, file: str, text: str, message: str) -> None:
    Path("data/source/articles/filters/uplifting/v1", file).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises((SourceError, ParamsError), match=message) as caught:
        here.run("ingest")
    assert f"uplifting/v1/{file}" in str(caught.value)


def test_a_filter_that_does_not_exist(here: Programs) -> None:
    with pytest.raises(SourceError, match=r"there is no filter `kindness/v1`") as caught:
        here.run("ingest", common={"definition": "kindness/v1"})
    assert "uplifting/v1" in caught.value.fix


LINES = [
    '{"id": "a", "title": "One", "content": "It is good.", "page": 3, "published": "2024-05-01T10:00:00"}',
    "{broken",
    '{"title": "no id", "content": "x"}',
    '{"id": "b"}',
    '{"id": "a", "content": "again"}',
    '{"id": 7, "content": "a number is an id too", "language": "en-GB", "split": "dev"}',
    "[1, 2]",
    '{"id": "c", "content": "x", "split": "tset"}',
    '{"id": "d", "content": "x", "split": ["train"]}',
    '{"id": "e", "content": "x", "tags": "half a pair \\ud800"}',
    '{"id": "f", "content": "x", "pages": ' + "9" * 5000 + "}",
    '{"id": "g", "title": null, "content": "no title is needed"}',
]
REASONS = ["not valid JSON", "no id", "no content", "also in row 1", "not a JSON object", "the split is 'tset'",
           "the split is ['train']", "half of a surrogate pair", "not valid JSON"]  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_jsonl_rejects_what_is_no_article_with_row_and_reason(here: Programs, packed: bool) -> None:
    path = Path("data/source/articles", "mine.jsonl.gz" if packed else "mine.jsonl")
    text = "\n".join([*LINES[:3], "", *LINES[3:]]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    metrics = here.run("ingest", sources=[{"format": "jsonl", "path": str(path)}], max_rejected_share=0.8)
    assert (metrics["rows_in"], metrics["rows_kept"], metrics["rows_rejected"]) == (12, 3, 9)
    articles = here.table("ingest/articles.parquet").set_index("article_id")
    assert json.loads(articles.loc["a", "extra"]) == {"page": 3}
    assert articles.loc["a", "published"] == "2024-05-01"
    assert (articles.loc["7", "language"], articles.loc["7", "official_split"]) == ("en", "val")
    rejected = here.table("ingest/rejected.parquet")
    assert rejected["row"].tolist() == [2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert all(reason in found for reason, found in zip(REASONS, rejected["reason"], strict=True))
    with pytest.raises(SourceError, match=r"9 of 12 source rows cannot be used"):
        here.run("ingest", sources=[{"format": "jsonl", "path": str(path)}])


def test_scored_reads_both_forms_and_refuses_scores_off_the_scale(here: Programs) -> None:
    names = read_filter("uplifting/v1", SHIPPED).names
    rows: list[dict[str, Any]] = [
        {"uplifting_analysis": {"dimensions": {name: n for n, name in enumerate(names)}}},
        {"labels": list(range(8)), "dimension_names": names},
        {"uplifting_analysis": {"dimensions": dict.fromkeys(names, 10**400)}},
        {"labels": [1, 2], "dimension_names": names},
        {"labels": list(range(7)), "dimension_names": names[:7]},
        {},
    ]
    path = Path("data/source/articles/scored.jsonl")
    path.write_text("".join(json.dumps({"id": n, "content": "x y", **row}) + "\n" for n, row in enumerate(rows)))
    here.run("ingest", sources=[{"format": "scored", "path": str(path)}], max_rejected_share=0.9)
    scores = here.table("ingest/scores.parquet").pivot_table(index="article_id", columns="dimension", values="score")
    assert scores.loc["0", names].tolist() == scores.loc["1", names].tolist() == list(map(float, range(8)))
    reasons = here.table("ingest/rejected.parquet")["reason"].tolist()
    for reason, expected in zip(
        reasons, ("outside 0 to 10", "2 labels for 8", "wonder has no", "neither"), strict=True
    ):
        assert expected in reason


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ("2024-05-01", "2024-05-01"),
        ("2024-05-01T10:00:00Z", "2024-05-01"),
        ("2024-05-01 10:00", "2024-05-01"),
        ("", None),
        (None, None),
        ("31/01/2019", NotAnArticle),
        ("2019-02-30", NotAnArticle),
        ("2019-02-1", NotAnArticle),
        ("2024-05-011", NotAnArticle),
        ("yesterday", NotAnArticle),
        (1556668800, NotAnArticle),
    ],
)
def test_a_date_is_iso_or_the_line_is_rejected(published: Any, expected: Any) -> None:
    row = {"id": "a", "content": "x", "published": published}
    if expected is NotAnArticle:
        with pytest.raises(NotAnArticle, match="no date that begins with YYYY-MM-DD"):
            article_of(row, "jsonl")
    else:
        assert article_of(row, "jsonl")["published"] == expected


def test_a_pattern_that_backtracks_without_end_is_refused(here: Programs) -> None:
    for pattern in (r"(\w+\s?)+!$", r"(a+)+$", r"(x|xx)+y", r"(\w+,? ?)+\.$"):

        def change(prefilter: Any, pattern: str = pattern) -> None:
            prefilter["keep"]["patterns"] = [r"\w+ \w+ said", pattern]

        edit("prefilter.yaml", change)
        began = time.process_time()
        with pytest.raises(SourceError, match=r"prefilter\.yaml:\d+: `keep\.patterns\[1\]`.*backtracks without end"):
            here.run("ingest")
        assert time.process_time() - began < 8


@pytest.mark.parametrize("odd", [{"published": "31/01/2019"}, {"split": "tset"}, {}])
def test_an_odd_date_or_split_hides_no_other_rule(odd: dict[str, str]) -> None:
    sieve = Sieve(read_filter("uplifting/v1", SHIPPED).prefilter)
    assert broken_rule(sieve, {"id": "a", "content": "too short", **odd}, "jsonl") == "too_few_words"
    assert broken_rule(sieve, {"id": "a", "text": BODY * 3, **odd}, "jsonl") is None


def test_the_rules_read_a_title_before_its_text() -> None:
    first = sieve(keep={"words": [], "patterns": [r"^we said"]}, drop={"words": [], "patterns": []})
    assert broken_rule(first, {"id": "a", "title": "We said so", "content": "They did."}, "jsonl") is None
    assert broken_rule(first, {"id": "a", "title": "They did", "content": "We said so."}, "jsonl") == "nothing_to_keep"


def test_a_pattern_that_is_slow_on_an_article_stops_the_stage_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnow.domains.articles.rules.prefilter.PATIENCE", 0.1)
    slow = sieve(drop={"words": [], "patterns": [r"(q|qq)+z"]})
    assert slow.sift("", "a quick brown fox", "", None, None).rule is None
    with pytest.raises(SourceError, match=r"\(q\|qq\)\+z.*takes more than 0.1 s on the text that begins 'qqqq"):
        slow.sift("", "q" * 60 + "! z", "", None, None)


def test_a_pattern_finds_what_the_standard_library_finds() -> None:
    texts = ["sponsored content here", "SPONSORED POST", "we said so", "price: 12 euros", "caf\u00e9 noir", "a_b-c", ""]
    for pattern in ("sponsored (content|post)", r"Price: \d+", r"^we\b", r"\bcaf\u00e9\b", r"[a-c]_b", r"(?:x|y)?so$"):
        own = sieve(keep={"words": [], "patterns": [pattern]}, drop={"words": [], "patterns": []})
        for text in texts:
            expected = re.search(pattern, text, re.IGNORECASE) is not None
            assert (own.sift("", text, "", None, None).rule is None) == expected, (pattern, text)


def test_parquet_is_read_as_jsonl_is(here: Programs) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "title": ["T", None], "content": ["x y", None], "page": [1, 2]})
    table.to_parquet("data/source/articles/mine.parquet")
    source = {"format": "parquet", "path": "data/source/articles/mine.parquet"}
    metrics = here.run("ingest", sources=[source], max_rejected_share=0.5)
    assert (metrics["rows_kept"], metrics["rows_rejected"]) == (1, 1)
    table[["id"]].to_parquet("data/source/articles/mine.parquet")
    with pytest.raises(SourceError, match=r"has no column content"):
        here.run("ingest", sources=[source])


def test_text_is_taken_where_content_is_empty() -> None:
    assert article_of({"id": "a", "content": "", "text": "a school"}, "jsonl")["content"] == "a school"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "scored"])
def test_text_is_taken_as_content_where_there_is_none(here: Programs, form: str) -> None:
    """By init, ingest, label and score alike, of every format; what stands in `content` comes first."""
    scores = {"scores": dict.fromkeys(read_filter("uplifting/v1").names, 3.0)} if form == "scored" else {}
    rows = [{"id": "a", "text": "a school", **scores}, {"id": "b", "text": "a bridge", **scores}]
    both = [{**rows[0], "content": "mine"}, {**rows[1], "content": None}]
    path = Path("data/source/articles/mine.x").with_suffix({"scored": ".jsonl"}.get(form, f".{form}"))
    for each, contents in ((rows, ["a school", "a bridge"]), (both, ["mine", "a bridge"])):
        table = pd.DataFrame(each)
        write = {"csv": partial(table.to_csv, index=False), "parquet": table.to_parquet}
        write.get(form, lambda path, each=each: path.write_text("\n".join(map(json.dumps, each))))(path)
        here.run("ingest", sources=[{"format": form, "path": str(path)}])
        articles = here.table("ingest/articles.parquet").set_index("article_id")
        assert articles["content"].to_dict() == dict(zip("ab", contents, strict=True))
        assert ("text" in json.loads(articles.loc["a", "extra"])) is (each is both), "kept for the export, not twice"
        (found,) = recognise([path])
        assert found.source["format"] == form
        assert "2 of the first 2 rows" in found.told


BODY = "the people of the town said that it was a good day for all of them and that they would do it again "
ARTICLES: dict[str, dict[str, Any]] = {
    "kept": {"content": BODY + "volunteers hope"},
    "short": {"content": "too short"},
    "german": {"content": "der die und das ist nicht mit den ein eine auf für von im dem zu sich des auch wird"},
    "blocked": {"content": BODY + "one", "source": "spam"},
    "early": {"content": BODY + "two", "published": "2019-12-31"},
    "late": {"content": BODY + "three", "published": "2025-01-01"},
    "stars": {"content": BODY + "your Horoscope"},
    "advert": {"content": BODY + "Sponsored CONTENT"},
    "capital": {"content": BODY + "buy one, get TWO"},
    "escape": {"content": BODY + "one, two, Three"},
    "same": {"content": (BODY + "volunteers hope").upper() + "!"},
    "edge": {"content": BODY + "a toothbrush and hope for volunteers " + " ".join(f"word{n}" for n in range(60))},
    "off": {"content": " ".join(f"the of and to in it was other{n}" for n in range(20))},
}
RULES = {
    "short": "too_few_words", "german": "wrong_language", "blocked": "wrong_source", "early": "too_early",
    "late": "too_late", "stars": "dropped_word", "advert": "dropped_pattern", "capital": "dropped_pattern",
    "escape": "dropped_pattern", "same": "duplicate",
}  # fmt: skip


def test_every_rule_of_the_prefilter_drops_its_article(here: Programs) -> None:
    def change(prefilter: Any) -> None:
        prefilter["sources"]["drop"] = ["spam"]
        prefilter["drop"]["patterns"] += [r"Get T\wo", r"\x54hree"]
        prefilter["dates"] = {"first": "2020-01-01", "last": "2024-12-31"}

    edit("prefilter.yaml", change)
    path = Path("data/source/articles/mine.jsonl")
    path.write_text("".join(json.dumps({"id": name, **row}) + "\n" for name, row in ARTICLES.items()))
    here.run("ingest", sources=[{"format": "jsonl", "path": str(path)}])
    metrics = here.run("filter")
    dropped = here.table("filter/dropped.parquet").set_index("article_id")["rule"].to_dict()
    assert dropped == RULES
    kept = here.table("filter/articles.parquet").set_index("article_id")
    assert kept["topic"].to_dict() == {"kept": "on", "edge": "edge", "off": "off"}
    assert kept.loc["kept", "words"] == len(ARTICLES["kept"]["content"].split())
    assert metrics["dropped"]["duplicate"] == 1


def sieve(**rules: Any) -> Sieve:
    """The shipped prefilter with other rules, on texts of any language."""
    given = read_filter("uplifting/v1", SHIPPED).prefilter.model_dump()
    return Sieve(Prefilter.model_validate({**given, "min_words": 0, "languages": [], **rules}))


@pytest.mark.parametrize(
    ("declared", "kept"), [("en", True), ("de", False), (None, False)], ids=["as declared", "other", "as it reads"]
)
def test_a_language_that_an_article_declares_is_believed(declared: str | None, kept: bool) -> None:
    rule = sieve(languages=["en"]).sift("", "Die Schule ist nicht mit den Kindern gebaut.", "", None, declared).rule
    assert (rule != "wrong_language") is kept


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6])
def test_the_ends_of_a_range_of_words_belong_to_it(count: int) -> None:
    rule = sieve(min_words=3, max_words=5).sift("", "word " * count, "", None, None).rule
    assert rule == {2: "too_few_words", 6: "too_many_words"}.get(count)


@pytest.mark.parametrize(
    ("published", "rule"),
    [("2019-12-31", "too_early"), ("2020-01-01", None), ("2024-12-31", None), ("2025-01-01", "too_late"), (None, None)],
)
def test_the_first_and_the_last_date_are_kept(published: str | None, rule: str | None) -> None:
    dated = sieve(dates={"first": "2020-01-01", "last": "2024-12-31"})
    assert dated.sift("", "a school", "", published, None).rule == rule


def test_an_article_needs_a_word_or_a_pattern_to_keep_where_some_are_given() -> None:
    def kept(content: str, words: list[str], patterns: list[str]) -> bool:
        return sieve(keep={"words": words, "patterns": patterns}).sift("", content, "", None, None).rule is None

    assert kept("a Bridge, rebuilt", ["bridge"], [])
    assert not kept("bridges rebuilt", ["bridge"], []), "whole words"
    assert kept("bridges rebuilt", ["school"], ["bridges? re"]), "either of them"
    assert not kept("a river", ["school"], ["bridges? re"])
    assert kept("a river", [], []), "none given: all are kept"
    assert sieve(keep={"words": ["bridge"], "patterns": []}).sift("", "a river", "", None, None).rule == (
        "nothing_to_keep"
    )


def test_sources_are_kept_and_dropped() -> None:
    def rule(source: str, **sources: list[str]) -> str | None:
        return sieve(sources={"keep": [], "drop": [], **sources}).sift("", "a school", source, None, None).rule

    assert (rule("a", keep=["a"]), rule("b", keep=["a"])) == (None, "wrong_source")
    assert (rule("a", drop=["a"]), rule("b", drop=["a"])) == ("wrong_source", None)


def test_near_duplicates_are_dropped_or_kept_together(here: Programs) -> None:
    here.run("ingest", synthetic={"duplicate_share": 0.1})
    kept = here.run("filter", duplicates="keep")
    table = here.table("filter/articles.parquet")
    texts = here.table("ingest/articles.parquet").set_index("article_id")["content"]
    groups = table["duplicate_group"].value_counts()
    assert 25 <= kept["near_duplicate_groups"] <= 40, "of 40 copies some are of the same article"
    for group in groups[groups > 1].index[:10]:
        first, *others = (texts[name] for name in table.loc[table["duplicate_group"] == group, "article_id"])
        words = [set(zip(*(re.findall(r"\w+", text)[n:] for n in range(3)), strict=False)) for text in (first, *others)]
        assert all(len(words[0] & each) / len(words[0] | each) > 0.7 for each in words[1:]), "exact Jaccard"
    for stage in ("label", "split"):
        here.run(stage)
    splits = here.table("split/splits.parquet")
    side = splits.set_index("article_id")["split"]
    for _, names in table.groupby("duplicate_group")["article_id"]:
        assert len(set(side[names])) == 1
    here.run("filter", duplicates="drop")
    assert not here.table("filter/articles.parquet")["duplicate_group"].duplicated().any()


def test_by_source_keeps_a_source_on_one_side(here: Programs) -> None:
    for stage in ("ingest", "filter", "label"):
        here.run(stage)
    labels = here.table("label/labels.parquet").set_index("article_id")["source"]
    here.run("split", by_source=True)
    splits = here.table("split/splits.parquet").set_index("article_id")["split"]
    assert splits.groupby(labels).nunique().max() == 1
    here.run("split")
    splits = here.table("split/splits.parquet").set_index("article_id")["split"]
    assert splits.groupby(labels).nunique().max() == 3


def test_an_official_split_is_kept_and_the_others_are_filled(here: Programs) -> None:
    for stage in ("ingest", "filter", "label"):
        here.run(stage)
    file = Path("data/articles/label/labels.parquet")
    labels = pd.read_parquet(file)
    labels["official_split"] = pd.Series(np.where(np.arange(len(labels)) % 5 == 0, "test", None), dtype="str")
    labels.to_parquet(file, index=False)
    here.run("split")
    splits = here.table("split/splits.parquet")["split"]
    assert splits[labels["official_split"] == "test"].eq("test").all()
    assert set(splits[labels["official_split"].isna()]) == {"train", "val"}
    pairs = labels["article_id"].where(labels.index % 10 != 1, labels["article_id"].shift())  # 1 repeats 0, 11 10, …
    labels.assign(duplicate_group=pairs).to_parquet(file, index=False)
    here.run("split")
    splits = here.table("split/splits.parquet")["split"]
    place = np.arange(len(labels))
    assert np.array_equal(splits == "test", (place % 5 == 0) | (place % 10 == 1)), "a copy follows its original"
    here.run("split", keep_official=False)
    assert not here.table("split/splits.parquet")["split"][labels["official_split"] == "test"].eq("test").all()


def test_a_source_without_validation_gives_some_of_its_training_articles(here: Programs) -> None:
    for stage in ("ingest", "filter", "label"):
        here.run(stage)
    file = Path("data/articles/label/labels.parquet")
    labels = pd.read_parquet(file)
    labels["official_split"] = pd.Series(np.where(np.arange(len(labels)) % 5 == 0, "test", "train"), dtype="str")
    labels.to_parquet(file, index=False)
    here.run("split")
    splits = here.table("split/splits.parquet")["split"]
    assert (splits == "test").equals(labels["official_split"] == "test")
    assert 0.05 < (splits == "val").mean() < 0.15


def test_near_duplicates_at_the_threshold_are_found() -> None:
    rng = np.random.default_rng(0)
    ids, texts = [], []
    for number in range(60):  # pairs of 200 words of which the last ones differ: an exact Jaccard of .83 to .87
        words = [f"w{each}" for each in rng.integers(10**6, size=200)]
        ids += [f"{number:03d}a", f"{number:03d}b"]
        texts += [" ".join(words), " ".join([*words[:183], *(f"x{each}" for each in rng.integers(10**6, size=17))])]
    groups = near_duplicate_groups(ids, sketched(texts, 64), similarity=0.8, permutations=64)
    near = 0
    for first in range(0, len(ids), 2):
        sketches = [MinHash(64, seed=SEED) for _ in range(2)]
        for sketch, text in zip(sketches, texts[first : first + 2], strict=True):
            sketch.update_batch(shingles(text))
        near += sketches[0].jaccard(sketches[1]) >= 0.8
    assert near >= 30, "as the sketches have it, pair by pair"
    assert (groups.value_counts() == 2).sum() >= 0.95 * near


def test_a_tier_begins_at_its_minimum() -> None:
    config = read_filter("uplifting/v1", SHIPPED).config
    scoring, bands = scoring_of(config), config.tiers.bands
    assert tier_names([band.minimum for band in bands], scoring) == [band.name for band in bands]
    assert tier_names([band.maximum - 0.01 for band in bands], scoring) == [band.name for band in bands]
    assert tier_names([config.scale.high], scoring) == [bands[-1].name]
    two = replace(scoring, overall=scoring.dimensions[1:3])
    assert overall_scores([[9.0, 1.0, 4.0, 9.0, 9.0, 9.0, 9.0, 9.0]], two).tolist() == [2.5], (
        "of these dimensions alone"
    )


def test_weights_make_tiers_alike_up_to_the_cap(here: Programs) -> None:
    for stage in ("ingest", "filter", "label", "split"):
        here.run(stage)
    tier = here.table("label/labels.parquet").set_index("article_id")["tier"]

    def weights(**params: Any) -> "pd.Series[float]":
        here.run("weight", **params)
        return here.table("weight/weights.parquet").set_index("article_id")["weight"]

    assert weights(method="none").eq(1).all()
    balanced = weights(method="tier", max_ratio=100.0)
    sums = balanced.groupby(tier).sum()
    assert np.allclose(sums, sums.iloc[0])
    counted = here.run("weight", method="density", max_ratio=3.0)
    capped = here.table("weight/weights.parquet").set_index("article_id")["weight"]
    assert capped.max() / capped.min() == pytest.approx(3.0)
    assert capped.mean() == pytest.approx(1.0)
    assert counted["max_ratio"] == pytest.approx(3.0)
    assert counted["effective_sample_size"] == pytest.approx(capped.sum() ** 2 / (capped**2).sum(), abs=0.1)


def test_too_few_articles_of_a_topic(here: Programs) -> None:
    here.run("ingest", synthetic={"on_topic_share": 0.02, "edge_share": 0.05})
    here.run("filter")
    with pytest.raises(TableError, match=r"on-topic articles are too few to calibrate on"):
        here.run("label")


def test_scores_of_the_source_can_be_the_labels(here: Programs) -> None:
    here.run("ingest", synthetic={"human_share": 1.0})
    here.run("filter")
    metrics = here.run("label", use_scores=True)
    assert metrics["by_origin"] == {"source": metrics["rows_labelled"]}
    assert metrics["oracle"]["requests"] == 0
    assert not Path("metrics/articles/calibration_report.md").exists()
    own, known = here.table("label/scores.parquet"), here.table("ingest/scores.parquet")
    kept = known[known["article_id"].isin(own["article_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(own, kept)


def test_what_trainings_read_does_not_change_with_a_prefilter_that_keeps_the_same_articles(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nor with a prompt that gives the same labels: DVC runs train again only when what it depends on has changed."""
    monkeypatch.chdir(tmp_path)
    programs = Programs.tiny("articles")

    def made(*stages: str) -> dict[str, bytes]:
        for stage in stages:
            programs.run(stage)
        files = (file for stage in stages for file in Path("data/articles", stage).iterdir())
        return {str(file): file.read_bytes() for file in files}

    read_by_train = made("ingest", "filter", "label")
    prefilter = Path("data/source/articles/filters/uplifting/v1/prefilter.yaml")
    before = programs.metrics("filter")["prefilter"]
    text = prefilter.read_text()
    prefilter.write_text(re.sub(r"min_words: \d+", "min_words: 11", text))
    assert prefilter.read_text() != text
    assert made("ingest", "filter") == {name: each for name, each in read_by_train.items() if "/label/" not in name}
    assert programs.metrics("filter")["prefilter"] != before, "by which `calibrate` knows that the filter ran since"
    with prefilter.with_name("prompt.md").open("a") as prompt:
        prompt.write("\nTake your time.\n")
    assert made("ingest", "label").items() <= read_by_train.items()
