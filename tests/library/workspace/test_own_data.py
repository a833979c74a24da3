"""`winnow init`: each domain's formats are recognised, and what they hold or lack is told."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tests.library.workspace.own import CLIMB, Files, contents, page, parquet, photographs, sources, text
from winnow.domains.articles.definitions import FilterConfig
from winnow.domains.articles.source.filters import read_filter
from winnow.domains.articles.source.formats import read
from winnow.domains.load import domain_names, load
from winnow.pipeline import presets
from winnow.pipeline.errors import SourceError, WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.workspace import own_data
from winnow.workspace.own_data import carry_out, plan, unused


def retina_grades() -> Files:
    for grade in range(3):
        page(Path("mine/graded", str(grade), f"{grade}.png"))
    return [Path("mine/graded")]


SLICE = {"playlists": [{"pid": 1, "name": "a", "tracks": [{"track_uri": "u", "track_name": "t", "artist_name": "b"}]}]}


TABLE = [
    ("climb", lambda: [text("a.csv", "grade,holds\n6A+,A5 C9 K18\n")], {"format": "csv", "path": f"{CLIMB}/a.csv"}),
    (
        "climb",
        lambda: [text("b.csv", "grade;holds\n6A+;A5 C9 K18\n", "utf-16")],
        {"format": "csv", "path": f"{CLIMB}/b.csv"},
    ),
    (
        "climb",
        lambda: [text("ä b.json", '[{"Grade": "6B", "Moves": ["A4", "B9", "C18"]}]')],
        {"format": "minimal", "path": f"{CLIMB}/ä b.json"},
    ),
    (
        "articles",
        lambda: [text("a.jsonl", '{"id": 1, "content": "words"}\n{"broken\n')],
        {"format": "jsonl", "path": "data/source/articles/a.jsonl"},
    ),
    (
        "articles",
        lambda: [text("s.jsonl", '{"id": 1, "content": "w", "x_analysis": {"dimensions": {"agency": 7}}}\n')],
        {"format": "scored", "path": "data/source/articles/s.jsonl"},
    ),
    (
        "articles",
        lambda: [parquet("p.parquet", id=["a"], content=["words"])],
        {"format": "parquet", "path": "data/source/articles/p.parquet"},
    ),
    (
        "documents",
        lambda: [page(Path("mine/clean/deep/a.png")).parents[1]],
        {"format": "clean_pages", "path": "data/source/documents/clean"},
    ),
    (
        "documents",
        lambda: [page(Path("mine/a.png")), text("labels.csv", "filename;quality_score\na.png;0.9\n", "utf-8-sig")][1:],
        {"format": "labelled", "path": "data/source/documents/mine/labels.csv"},
    ),
    (
        "retina",
        lambda: [text("t.csv", "id_code,diagnosis\na,2\n"), photographs("a", "b")],
        {"format": "aptos", "path": "data/source/retina/t.csv", "images": "data/source/retina/eyes"},
    ),
    (
        "retina",
        lambda: [text("t.csv", "Image name\tRetinopathy grade\na\t2\n"), photographs("a")][:1],
        {"format": "idrid", "path": "data/source/retina/t.csv", "images": "data/source/retina/eyes"},
    ),
    ("retina", retina_grades, {"format": "folders", "path": "data/source/retina/graded", "images": None}),
    (
        "sessions",
        lambda: [text("log.csv", "User_ID;Track_Name;Time\nann;Song, one;5\n", "latin-1")],
        {
            "format": "events",
            "path": "data/source/sessions/log.csv",
            "events": {
                "header": True,
                "user": "User_ID",
                "item": ["Track_Name"],
                "timestamp": "Time",
                "genre": None,
                "skipped": None,
                "share_played": None,
                "plays": None,
            },
        },
    ),
    (
        "sessions",
        lambda: [text("test.txt", "0 2\n"), text("train.txt", "0 1 2\n")][1:],
        {"format": "lightgcn", "path": "data/source/sessions/train.txt", "events": None},
    ),
    (
        "playlists",
        lambda: [text("mpd/mpd.slice.0-0.json", json.dumps(SLICE)).parent],
        {"format": "mpd", "path": "data/source/playlists/mpd"},
    ),
    (
        "playlists",
        lambda: [text("p.csv", '"user_id","artistname","trackname","playlistname"\n"u","a","t","p"\n')],
        {"format": "csv", "path": "data/source/playlists/p.csv"},
    ),
    (
        "playlists",
        lambda: [text("lists/Road trip.csv", "Track URI,Track Name,Artist Name(s)\nu,a,b\n").parent],
        {"format": "csv", "path": "data/source/playlists/lists"},
    ),
]


FIRST_PRESET = {
    ("climb", ""): "full", ("documents", "clean_pages"): "own_pages",
    ("retina", ""): "photographs", ("retina", "medmnist"): "retinamnist_pretrained",
    ("articles", "scored"): "scored", ("articles", ""): "minilm", ("sessions", "lastfm_hetrec"): "lastfm",
    ("playlists", ""): "balanced",
}  # fmt: skip


@pytest.mark.parametrize(("domain", "make", "expected"), TABLE)
def test_a_format_is_recognised_copied_tracked_and_named(
    here: list[list[str]], domain: str, make: Callable[[], Files], expected: dict[str, Any]
) -> None:
    files = make()
    before, original = PARAMS_FILE.read_text(), contents(Path("mine"))
    chosen = plan(domain, files)
    printed = chosen.lines()[-1].partition(".sources: ")[2]
    assert YAML(typ="safe").load(f"{{{printed}}}") == expected, "the line can be written into params.yaml as it is"
    written = carry_out(chosen)
    assert sources(domain) == [expected]
    comments = [line for line in before.splitlines() if "#" in line]
    assert [line for line in PARAMS_FILE.read_text().splitlines() if "#" in line] == comments
    assert contents(Path("mine")) == original, "the user's files are left as they are"
    for place in filter(None, (expected["path"], expected.get("images"))):
        assert Path(place).exists()
    (tracked,) = here
    assert {Path(f"{each}.dvc") for each in tracked} <= set(written)
    named = load(domain, "params").Params.model_fields["ingest"].annotation
    assert named is not None
    params = named.model_validate(Document(PARAMS_FILE).content[domain]["ingest"])
    assert params.sources, "the stage would not take it"
    form, (suggested,) = expected["format"], {each.preset for each in chosen.found}
    assert suggested == FIRST_PRESET.get((domain, form), FIRST_PRESET.get((domain, ""), ""))
    assert not suggested or suggested in presets.names(domain)


def test_routes_that_filter_will_drop_for_their_grade_are_told_at_once(here: list[list[str]]) -> None:
    (found,) = plan("climb", [text("a.csv", "grade,holds\nV5,A5 C9 K18\n6A,A5 C9 K18\n7A,B5 C9 K18\n")]).found
    assert found.told == "csv, 3 routes, 1 without a Font grade from 5+ to 8B+, which filter will drop"


def test_what_is_beside_a_data_set_is_taken_with_it(here: list[list[str]]) -> None:
    carry_out(plan("sessions", [text("test.txt", "0 2\n"), text("train.txt", "0 1\n")]))
    assert Path("data/source/sessions/test.txt").read_text() == "0 2\n"
    assert len(sources("sessions")) == 1


def test_a_folder_of_a_data_set_is_its_file_of_that_name(here: list[list[str]]) -> None:
    text("readme.txt", "about")
    text("artists.dat", "id\tname\n1\ta\n")
    file = text("user_artists.dat", "userID\tartistID\tweight\n1\t1\t5\n")
    found = plan("sessions", [file.parent])
    assert [each.source["path"] for each in found.found] == [file]
    assert {path.name for path in found.copies} == {"user_artists.dat", "artists.dat"}
    file.rename(file.with_name("plays.dat"))
    with pytest.raises(SourceError, match=r"neither user_artists\.dat nor train\.txt"):
        plan("sessions", [file.parent])


def test_the_artist_belongs_to_a_title_and_not_to_an_id(here: list[list[str]]) -> None:
    """Two artists' songs of one title are two songs; an id is one song as it is."""
    titled = plan("sessions", [text("a.tsv", "user\ttime\tartist\tsong\nann\t5\tQueen\tOne\n")])
    assert titled.sources[-1]["events"]["item"] == ["artist", "song"]
    ids = plan("sessions", [text("b.tsv", "user\ttime\tartist\tsong_id\nann\t5\tQueen\t17\n")])
    assert ids.sources[-1]["events"]["item"] == ["song_id"]


def test_artists_alone_are_songs_and_a_column_of_counts_is_one_of_plays(here: list[list[str]]) -> None:
    (found,) = plan("sessions", [text("a.csv", "member,band,Play Count\nann,Queen,17\n")]).found
    assert found.source["events"]["item"] == ["band"]
    assert found.source["events"]["plays"] == "Play Count"
    assert "plays is 'Play Count'" in found.told
    with pytest.raises(SourceError) as refused:
        plan("sessions", [text("b.csv", "wer,was\nann,Queen\n")])
    told = str(refused.value)
    assert all(name in told for name in ("listener", "track_title", "artist", "played_at", "genre")), told


def test_the_plays_of_one_listener_are_told_where_they_belong(here: list[list[str]]) -> None:
    history = "endTime,artistName,trackName,msPlayed\n2024-01-01 10:00,Queen,One,5\n"
    with pytest.raises(SourceError, match=r"no column of the user among endTime, artistName") as told:
        plan("sessions", [text("StreamingHistory.csv", history)])
    assert "`winnow sessions recommend --file` takes them" in told.value.fix
    assert "header" not in str(told.value)


def test_columns_that_are_not_used_are_told(here: list[list[str]]) -> None:
    (found,) = plan("sessions", [text("a.csv", "Member Name,Artist,Scrobbles,Mood,MBID\nann,Queen,17,good,x\n")]).found
    assert found.source["events"]["plays"] == "Scrobbles"
    assert "not used: 'Mood', 'MBID'" in found.told
    (found,) = plan("sessions", [text("b.csv", "user,artist,when,date\nann,Queen,now,2024-01-31 10:00\n")]).found
    assert "not used: 'when' " in found.told
    assert found.source["events"]["timestamp"] == "date"
    (found,) = plan("sessions", [text("c.csv", "user,artist,date\nann,Queen,01.03.2021 10:00\n")]).found
    assert "not used: the times in 'date', which are neither ISO 8601 nor seconds" in found.told
    assert found.source["events"]["timestamp"] is None
    (found,) = plan("sessions", [text("d.csv", "user,artist\nann,Queen\n")]).found
    assert "not used" not in found.told


def test_a_log_without_a_header_is_told_how_it_is_named(here: list[list[str]]) -> None:
    with pytest.raises(SourceError, match=r"header: false"):
        plan("sessions", [text("log.tsv", "listener_01\tQueen\t5\n")])


def test_clean_pages_beside_a_table_of_something_else_are_clean_pages(here: list[list[str]]) -> None:
    folder = page(Path("mine/a.png")).parent
    text("pages.csv", "filename,author\na.png,ann\n")
    found = plan("documents", [folder])
    assert found.found[0].source["format"] == "clean_pages"
    assert "pages.csv" in found.found[0].told, "nobody should wonder what became of the table"
    text("metadata.csv", "filename,author\na.png,ann\n")
    (found_too,) = plan("documents", [folder]).found
    assert found_too.source["format"] == "clean_pages"
    assert "metadata.csv has no label" in found_too.told
    assert "quality_score" in found_too.told, "a column of labels may have another name"
    Path(folder, "metadata.csv").unlink()
    text("pages.csv", "name,score\na.png,1\n")
    with pytest.raises(SourceError):  # a table that is meant to hold labels
        plan("documents", [folder])


def test_scores_of_another_scale_are_refused_with_the_reason_and_the_cure(here: list[list[str]]) -> None:
    page(Path("mine/a.png"))
    with pytest.raises(SourceError, match="row 2: the score 85 is not between 0 and 1") as refused:
        plan("documents", [text("labels.csv", "filename,quality_score\na.png,85\n")])
    assert "divide those of 0 to 100 by 100" in refused.value.fix


def test_what_a_folder_holds_besides_pages_is_told_once(
    here: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = page(Path("mine/a.png")).parent
    text("notes.docx", "x")
    chosen = plan("documents", [folder])
    carry_out(chosen)
    assert unused(chosen) == []
    told = capsys.readouterr()
    assert (told.out + told.err).count("1 .docx") == 1


@pytest.mark.parametrize(
    ("fields", "form", "told"),
    [
        ('"scores": {"valence": 3.2, "arousal": 3}', "scored", ["valence, arousal"]),
        ('"ratings": [3.2, 3]', "jsonl", ["ratings", "dimension_names", "scores:"]),
        ('"labels": [3.2], "dimension_names": ["valence"]', "scored", ["valence"]),
    ],
)
def test_what_becomes_of_scores_is_told(here: list[list[str]], fields: str, form: str, told: list[str]) -> None:
    (found,) = plan("articles", [text("a.jsonl", f'{{"id": 1, "content": "words", {fields}}}\n')]).found
    assert found.source["format"] == form
    assert [word for word in told if word not in found.told] == []


def test_a_column_of_letters_is_told_to_be_no_score(here: list[list[str]]) -> None:
    (found,) = plan("articles", [text("a.csv", "id,title,text,overall\n1,one,words,B\n2,two,words,A\n")]).found
    assert found.told.endswith("none of overall holds numbers, so none is read as scores")


HEADER = "id;text;Valence;Arousal;Dominance\n"


@pytest.mark.parametrize(
    ("name", "content", "definition", "scale"),
    [
        ("a.csv", HEADER + "1;one;3.1;2;3\n2;two;1;5;4.5\n", "emobank/v1", (1, 5)),
        (
            "a.jsonl",
            '{"id": 1, "content": "w", "scores": {"valence": 1, "arousal": 5, "dominance": 3}}',
            "emobank/v1",
            (1, 5),
        ),
        ("Wide-1.csv", HEADER + "1;one;31;20;30\n2;two;10;50;99.5\n", "wide_1/v1", (10, 100)),
        ("own.csv", "id,content,clarity\n1,one,2\n2,two,3.5\n3,three,\n", "own/v1", (2, 4)),
    ],
)
def test_scores_find_the_filter_that_has_them_or_get_one(
    here: list[list[str]], name: str, content: str, definition: str, scale: tuple[int, int]
) -> None:
    """The file goes through ingest with what was written, and every score is the file's."""
    shutil.copytree(ROOT / "data/source/articles/filters", "data/source/articles/filters")
    chosen = plan("articles", [text(name, content)])
    known = definition.startswith("emobank")
    assert bool(chosen.needs.files) != known
    assert definition in "\n".join(chosen.lines())
    written = carry_out(chosen)
    params = Document(PARAMS_FILE).content["articles"]
    assert params["common"]["definition"] == definition
    assert params["label"]["use_scores"] is True
    assert (Path("data/source/articles/filters", definition, "config.yaml") in written) != known
    config = read_filter(definition).config
    assert (config.scale.low, config.scale.high) == scale
    (source,) = params["ingest"]["sources"]
    found = read(source["format"], Path(source["path"]), config)
    assert found.rejected.empty
    assert found.articles["content"].str.fullmatch(r"\w+").all()
    expected = sorted(
        float(each) for each in re.findall(r"(?<=[;, ])[\d.]+(?=[;,}\n])", content) if name.endswith("csv")
    )
    if expected:
        assert sorted(found.scores["score"]) == expected


@pytest.mark.parametrize(
    ("bad", "rows", "told"),
    [
        ("n/a", 30, "1 of 30 rows of a.csv have no scores that can be used (row 2: the score of valence is 'n/a')"),
        ("n/a", 30, ": ingest leaves them out"),
        ("n/a", 6, "ingest stops (articles.ingest.max_rejected_share: 0.05)"),
        ("", 30, "1 of 30 rows of a.csv have no score: the label stage needs an oracle"),
    ],
)
@pytest.mark.parametrize("names", ["Valence;Arousal;Dominance", "Own;Other;Third"])
def test_rows_whose_scores_cannot_be_used_are_told_with_what_becomes_of_them(
    here: list[list[str]], names: str, bad: str, rows: int, told: str
) -> None:
    shutil.copytree(ROOT / "data/source/articles/filters", "data/source/articles/filters")
    lines = [f"{number};word;" + ";".join([bad if number == 1 else "3"] * 3) for number in range(rows)]
    lines = "\n".join([f"id;text;{names}", *lines])
    shown = "\n".join(plan("articles", [text("a.csv", lines)]).lines())
    assert told.replace("valence", names.lower().partition(";")[0]) in shown


def test_scores_with_a_decimal_comma_are_numbers(here: list[list[str]]) -> None:
    lines = "".join(f"{row};words of {row};{row % 4},25\n" for row in range(20))
    (found,) = plan("articles", [text("own.csv", f"id;text;clarity\n{lines}")]).found
    assert (found.told, found.preset) == ("csv, 20 of the first 20 rows; scores of clarity", "scored")


@pytest.mark.parametrize(("names", "of"), [("overall;clarity", ["overall"]), ("wit;clarity", ["wit", "clarity"])])
def test_a_column_named_overall_is_the_overall_score(here: list[list[str]], names: str, of: list[str]) -> None:
    lines = "".join(f"{row};words of {row};{row % 4};{row % 3}\n" for row in range(20))
    files = plan("articles", [text("own.csv", f"id;text;{names}\n{lines}")]).needs.files
    (written,) = (body for path, body in files.items() if path.name == "config.yaml")
    config = FilterConfig.model_validate(YAML(typ="safe").load(written))
    assert [each.name for each in config.dimensions] == names.split(";"), "each is a dimension of its own"
    assert config.tiers.of == of


def test_the_present_filter_stays_where_it_fits_and_an_oracle_of_the_user_is_not_replaced(
    here: list[list[str]],
) -> None:
    shutil.copytree(ROOT / "data/source/articles/filters", "data/source/articles/filters")
    own = Path("data/source/articles/filters/feelings/v1")
    shutil.copytree("data/source/articles/filters/emobank/v1", own)
    config = own / "config.yaml"
    config.write_text(config.read_text().replace("name: emobank\n", "name: feelings\n"))
    oracle = {"articles.label.oracle.provider": "openai", "articles.label.oracle.model": "gemini-2.5-flash"}
    own_data.presets.apply({"articles.common.definition": "feelings/v1", **oracle}, PARAMS_FILE)
    chosen = plan("articles", [text("a.csv", HEADER + "1;one;3;2;3\n")])
    assert chosen.needs.settings == ()
    assert "use_scores" in " ".join(chosen.lines())
    with pytest.raises(WinnowError, match="none can: größe"):
        plan("articles", [text("b.jsonl", '{"id": 1, "content": "w", "scores": {"größe": 3}}')])


def test_other_numbers_of_an_article_are_not_taken_for_scores(here: list[list[str]]) -> None:
    (found,) = plan("articles", [text("a.jsonl", '{"id": 1, "content": "w", "embedding": [0.1, 0.2], "n": 5}\n')]).found
    assert "use_scores" not in found.told


@pytest.mark.parametrize(
    ("name", "content", "told", "cure"),
    [
        ("a.jsonl", '{"headline": "one", "body": "two"}', "no field id and content (or text)", "it has headline, body"),
        ("a.jsonl", '{"id": 1, "body": "two"}', "no field content (or text)", "rename one to content, or add"),
        ("a.jsonl", '{"id": 1}\n{"text": "two"}', "no row with id and content (or text)", "it has id, text"),
        ("a.csv", "id,body\n1,two\n", "no column content (or text)", "rename one to content, or add"),
        ("a.csv", ",".join(f"c{n}" for n in range(99)) + "\n", "no column id and", "c11, … (99 in all)"),
    ],
)
def test_a_file_of_other_fields_is_refused_with_what_is_missing_and_its_first_fields(
    here: list[list[str]], name: str, content: str, told: str, cure: str
) -> None:
    with pytest.raises(SourceError) as refused:
        plan("articles", [text(name, content)])
    assert told in refused.value.what
    assert cure in refused.value.fix


def test_texts_without_scores_are_told_to_need_an_oracle_unless_there_is_one(here: list[list[str]]) -> None:
    """The oracle `rules` fails on texts of one's own, for sure."""
    file = text("a.jsonl", '{"id": 1, "content": "words"}\n')
    assert any("oracle" in line for line in plan("articles", [file]).needs.before)
    oracle = {"provider": "openai", "model": "gemini-2.5-flash"}
    presets.apply({f"articles.label.oracle.{key}": value for key, value in oracle.items()}, PARAMS_FILE)
    assert plan("articles", [file]).needs.before == ()


WRONG = {
    "climb": "a,b\n1,2\n",
    "articles": "a,b\n1,2\n",
    "documents": "a,b\n1,2\n",
    "retina": "a,b\n1,2\n",
    "sessions": "when,what\n1,2\n",
    "playlists": "when,what\n1,2\n",
}


@pytest.mark.parametrize("domain", [name for name in domain_names() if name in WRONG])
@pytest.mark.parametrize("name", ["wrong.csv", "wrong.json", "wrong.jsonl", "wrong.xlsx", "empty.csv"])
def test_what_is_not_recognised_is_refused_and_nothing_changes(
    here: list[list[str]], workspace: Path, domain: str, name: str
) -> None:
    content = "PK\x03\x04" if name.endswith("xlsx") else "" if name.startswith("empty") else WRONG[domain]
    file = text(name, content)
    before = contents(workspace)
    with pytest.raises(SourceError) as refused:
        plan(domain, [file])
    assert "looked for" in refused.value.where
    assert name in refused.value.what
    assert contents(workspace) == before
    assert not here


@pytest.mark.parametrize(
    ("domain", "make", "told"),
    [
        ("climb", lambda: text("bad/a.csv", "grade,holds\n6A+,A5 C9 K18\n").parent, ["a folder", "bad/*"]),
        ("sessions", lambda: text("bad.csv", "user,song,timestamp\n"), ["holds no play"]),
        ("sessions", lambda: text("bad.csv", "PK\x03\x04"), ["an Excel file", "save the table as CSV"]),
        ("climb", lambda: text("bad.json", '[{"Grade": "6A", "Mo'), ["column 18", "cut off"]),
        ("climb", lambda: text("bad.csv", "Grade;Name\n6A;x\n"), ["no column holds", "grade, name", "rename"]),
        ("climb", lambda: text("bad.csv", "grade,holds\n"), ["nothing but its header"]),
        ("climb", lambda: text("bad.csv", "grade,holds\nV5,A5 C9 K18\n"), ["none of its 1", "Font", "8B+"]),
        ("climb", lambda: text("bad.csv", "sep=;\ngrade;holds\n6A;A5 C9\n"), ["sep=;", "remove that line"]),
        ("climb", lambda: text("bad.csv", "grade,holds,angle\n6A,A5 C9 K18,steep\n"), ["row 2", "steep"]),
        ("playlists", lambda: text("alone.csv", "Track Name,Artist Name(s)\na,b\n"), ["no column playlist", "folder"]),
        ("playlists", lambda: text("bad.csv", "\xd0\xcf\x11\xe0", "latin-1"), ["an old Excel file", "CSV in UTF-8"]),
        (
            "playlists",
            lambda: text("lists/a.m3u", "#EXTM3U\na.mp3\n").parent,
            ["a folder of M3U", "each list as a CSV"],
        ),
        ("sessions", lambda: text("bad.m3u", "#EXTM3U\na.mp3\n"), ["a list of titles", "recommend --file"]),
        ("sessions", lambda: text("bad.csv", ""), ["it is empty"]),
        ("playlists", lambda: text("bad.csv", "wer;was\na;b\n"), ["it names wer, was", "rename"]),
        ("playlists", lambda: text("bad.m3u", "#EXTM3U\na.mp3\n"), ["one list of an M3U", "complete --file"]),
        ("articles", lambda: text("bad.json", '[{"id": "1", "content": "x"}]'), ["one JSON object", "a line"]),
    ],
)
def test_a_refusal_tells_the_reason_the_place_and_the_cure(
    here: list[list[str]], domain: str, make: Callable[[], Path], told: list[str]
) -> None:
    with pytest.raises(SourceError) as caught:
        plan(domain, [make()])
    assert all(each in str(caught.value) for each in told), str(caught.value)
    assert f"data/source/{domain}/README.md" in str(caught.value), "not which page describes the formats"
    assert str(caught.value).count(f"{Path('mine')}/bad") <= 2, "the file is named again and again"


def test_an_address_is_told_to_be_downloaded(here: list[list[str]]) -> None:
    with pytest.raises(WinnowError, match="here/list.json does not exist") as caught:
        plan("playlists", [Path("https://here/list.json")])
    assert "download it" in caught.value.fix


def test_columns_as_spreadsheets_name_them_and_rows_that_will_be_left_out(here: list[list[str]]) -> None:
    (found,) = plan("sessions", [text("a.csv", "User ID,Track Name,Played At\nann,one,5\n")]).found
    chosen = found.source["events"]
    assert (chosen["user"], chosen["item"], chosen["timestamp"]) == ("User ID", ["Track Name"], "Played At")
    for name in ("a", "b", "c"):
        page(Path("mine/labelled", f"{name}.png"))
    text("labelled/metadata.csv", "filename;quality_score\na.png;0.5\nb.png;0.7\nc.png;0,9\n")
    (found,) = plan("documents", [Path("mine/labelled")]).found
    assert "2 files" in found.told
    assert "1 row left out" in found.told
    assert "'0,9'" in found.told
    warned = plan("documents", [Path("mine/labelled")]).lines()
    assert any(line.startswith("⚠ 33.3% of the rows of mine/labelled") and "allows 5.0%" in line for line in warned)
    whole = text("whole.csv", "grade,holds\n6A+,A5 C9 K18\n")
    assert not [line for line in plan("climb", [whole]).lines() if "⚠" in line]
    part = text("part.csv", "grade,holds\n6A+,A5 C9 K18\n6A+,\n")
    assert any("50.0% of the rows" in line for line in plan("climb", [part]).lines())


def test_plays_without_genres_are_learned_by_the_model_that_needs_none(here: list[list[str]]) -> None:
    """Such as after the preset `enhanced`, whose params are not valid with such data."""
    log = text("log.csv", "user,song,timestamp\nann,one,5\n")
    told = text("told.csv", "user,song,timestamp,genre\nann,one,5,rock\n")
    for before, files, after in (
        ("gat", [log], "gat"),
        ("genre_gat", [told], "genre_gat"),
        ("genre_gat", [told, log], "genre_gat"),
        ("genre_gat", [log], "gat"),
    ):
        own_data.presets.apply({"sessions.train.model": before, "sessions.ingest.sources": []}, PARAMS_FILE)
        chosen = plan("sessions", files)
        assert any("sessions.train.model: gat" in line for line in chosen.lines()) == (before != after)
        carry_out(chosen)
        document = Document(PARAMS_FILE)
        assert document.content["sessions"]["train"]["model"] == after
        document.section(("sessions",), load("sessions", "params").Params)
        for file in files:
            Path("data/source/sessions", file.name).unlink()
            Path("data/source/sessions", f"{file.name}.dvc").unlink()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_of_genres_that_is_empty_is_told_and_not_named(here: list[list[str]], kind: str) -> None:
    """And so the model that needs genres is refused, or gives way, before any stage runs."""
    columns = {"user": ["ann", "bob"], "song": ["one", "two"], "genre": [" ", None]}
    file = (
        parquet("log.parquet", **columns) if kind == "parquet" else text("log.csv", "user,song,genre\nann,one, \nb,c\n")
    )
    own_data.presets.apply({"sessions.train.model": "genre_gat"}, PARAMS_FILE)
    chosen = plan("sessions", [file])
    assert chosen.sources[-1]["events"]["genre"] is None
    assert "'genre' is empty" in chosen.found[0].told
    assert any("sessions.train.model: gat" in line for line in chosen.lines())


def test_lastfm_without_its_files_of_tags_has_no_genres(here: list[list[str]]) -> None:
    file = text("user_artists.dat", "userID\tartistID\tweight\n1\t1\t5\n")
    own_data.presets.apply({"sessions.train.model": "genre_gat"}, PARAMS_FILE)
    assert any("sessions.train.model: gat" in line for line in plan("sessions", [file]).lines())
    text("tags.dat", "tagID\ttagValue\n")
    text("user_taggedartists.dat", "userID\tartistID\ttagID\n")
    assert not any("sessions.train.model" in line for line in plan("sessions", [file]).lines())


@pytest.mark.parametrize(("column", "valid"), [(0, True), ("genre", True), (None, False)])
def test_a_log_whose_first_column_has_the_genres_has_genres(
    here: list[list[str]], column: int | str | None, valid: bool
) -> None:
    """Columns without a header are positions from 0."""
    events = {"header": False, "user": 1, "item": [2], "timestamp": None, "skipped": None, "share_played": None}
    source = {"format": "events", "path": "data/source/sessions/a.tsv", "events": {**events, "genre": column}}
    own_data.presets.apply({"sessions.train.model": "genre_gat", "sessions.ingest.sources": [source]}, PARAMS_FILE)
    params = Document(PARAMS_FILE)
    assert bool(load("sessions", "source.needs").needs([source], params.content["sessions"]).settings) != valid
    if valid:
        params.section(("sessions",), load("sessions", "params").Params)
    else:
        with pytest.raises(WinnowError, match="no source names any"):
            params.section(("sessions",), load("sessions", "params").Params)
