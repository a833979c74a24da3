"""Fifty lists as people type them: each is completed, by the tracks that are meant."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from tests.stages.conftest import Finished
from winnow.domains.playlists.cli import app
from winnow.learn.folder import model_folder

pytestmark = pytest.mark.parametrize("finished", ["playlists"], indirect=True)

TRACKS = (
    ("Célia Ñandú", "Déjà Vu"), ("The Wanderers", "I'll Be There"), ("Zoë & the Owls", "Don't Go (Live)"),
    ("Björk Åsen", "Hjärta"), ("Ана Петрова", "Ночь"), ("山田 太郎", "夜の歌"), ("AC/BD", "Thunder! Lightning"),
    ("Earth, Wind", "Fire; Water"), ("Mr. Straße", "Weiß"), ("One", "Hello"), ("Two", "Hello"), ("Three", "Hello"),
    ("P!nq", "#1 Crush"), ("The 1985", "99 Problems"), ("Sigur Rønn", "( )"), ("Beyoncine", "“Halo”"),
    ("Ｗide", "Ｆｕｌｌ"), ("Nine – Ten", "Untitled – Demo"), ("Fjord", "Ærlig"), ("Łucja", "Źródło"),
)  # fmt: skip
"""The artists and titles of the model's tracks 0, 1, …; Hello by One is in most playlists."""


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


LISTS: tuple[tuple[str, set[int], int], ...] = (
    # what is typed, a line a title; the tracks meant; how many are not known
    ("Déjà Vu", {0}, 0),
    (nfd("Déjà Vu"), {0}, 0),
    ("deja vu", {0}, 0),
    ("CELIA NANDU - DEJA VU", {0}, 0),
    (nfd("célia ñandú — déjà vu"), {0}, 0),
    ("Déjà Vu - Célia Ñandú", {0}, 0),
    ("I'll be there", {1}, 0),
    ("I’ll Be There", {1}, 0),
    ("i‘ll be there", {1}, 0),
    ("I`ll be there", {1}, 0),
    ("ill be there", {1}, 0),
    ("The Wanderers – I’ll be there", {1}, 0),
    ("The Wanderers ‒ I'll be there", {1}, 0),
    ("  the wanderers   -   i'll   be there  ", {1}, 0),
    ("Don’t go (live)", {2}, 0),
    ("dont go live", {2}, 0),
    ("Zoe and the Owls - Don't Go (Live)", {2}, 0),
    ("ZOË & THE OWLS – DON'T GO (LIVE)", {2}, 0),
    ("Hjarta", {3}, 0),
    (nfd("Björk Åsen - Hjärta"), {3}, 0),
    ("hjärta\nHJÄRTA\nBjörk Åsen – Hjärta", {3}, 0),
    ("НОЧЬ", {4}, 0),
    ("ана петрова – ночь", {4}, 0),
    ("夜の歌", {5}, 0),
    ("山田 太郎 - 夜の歌", {5}, 0),
    ("thunder lightning", {6}, 0),
    ("AC/BD - Thunder! Lightning", {6}, 0),
    ("acbd thunder lightning", set(), 1),
    ("Fire; Water", {7}, 0),
    ("fire water", {7}, 0),
    ("Weiss", {8}, 0),
    ("MR. STRASSE - WEISS", {8}, 0),
    ("hello", {9}, 0),
    ("Two - Hello", {10}, 0),
    ("hello - three", {11}, 0),
    ("#1 Crush", {12}, 0),
    ("1 crush", {12}, 0),
    ("99 problems\nhello\nnobody knows this one", {13, 9}, 1),
    ("( )", {14}, 0),
    ('"Halo"', {15}, 0),
    ("halo", {15}, 0),
    ("”Halo„", {15}, 0),
    ("full", {16}, 0),
    ("Wide - Full", {16}, 0),
    ("Nine – Ten – Untitled – Demo", {17}, 0),
    ("untitled - demo", {17}, 0),
    ("Aerlig\nÆrlig", {18}, 1),
    ("Źródło\nhelo\nNobody – Nothing", {19}, 2),
    ("xyzzy", set(), 1),
    ("", set(), 0),
)


@pytest.fixture
def completer(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of the finished model, its first tracks under the names above, as the working folder's."""
    import shutil  # noqa: PLC0415

    from winnow.domains.playlists.inference import PlaylistCompleter  # noqa: PLC0415

    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    folder = model_folder("playlists")
    tracks, artists = (pd.read_parquet(folder / f"{name}.parquet") for name in ("tracks", "artists"))
    for number, (artist, title) in enumerate(TRACKS):
        artists.loc[number, "artist"] = artist
        tracks.loc[number, ["title", "artist_index", "playlists"]] = [title, number, 30 if number == 9 else 3]
    tracks.to_parquet(folder / "tracks.parquet", index=False)
    artists.to_parquet(folder / "artists.parquet", index=False)
    return PlaylistCompleter(folder, torch.device("cpu"))


def test_fifty_typed_lists_have_fifty_answers(completer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(LISTS) == 50
    for typed, meant, unknown in LISTS:
        Path("typed.txt").write_text(typed, encoding="utf-8")
        done = CliRunner().invoke(app, ["complete", "--file", "typed.txt", "--k", "10", "--json"])
        assert done.exit_code == 0, (typed, done.exception)
        told = json.loads(done.stdout)
        assert len(told["tracks"]) == 10, typed
        assert len(told["left_out"]) == unknown, typed
        assert told["known_by"] == ("tracks" if meant else "popularity")
        reasons = {name for kind, name, _ in told["tracks"][0]["reasons"] if kind == "track"}
        assert reasons == {completer.names[number] for number in meant}, typed
        chances = [one["chance"] for one in told["tracks"]]
        assert chances == sorted(chances, reverse=True)
        assert all(0 <= chance <= 1 for chance in chances)


def test_a_file_of_many_lists_is_completed_as_each_alone(completer: Any) -> None:
    lists = [{"name": f"list {n}", "tracks": typed.splitlines()} for n, (typed, _, _) in enumerate(LISTS)]
    text = json.dumps({"playlists": lists})
    done = CliRunner().invoke(app, ["complete", "--file", "-", "--k", "4", "--json"], input=text)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["playlist"] for each in answers] == [each["name"] for each in lists]
    for (typed, _, _), told in zip(LISTS, answers, strict=True):
        alone = completer.complete(typed.splitlines(), 4, name=told["playlist"])
        assert [one["track"] for one in told["tracks"]] == [one.track for one in alone.tracks]
        chances = [one.chance for one in alone.tracks]
        assert [one["chance"] for one in told["tracks"]] == pytest.approx(chances, abs=1e-6)
        assert told["known_by"] == alone.known_by
    assert "playlist 38" in done.stderr


def test_a_list_without_a_name_has_the_one_that_the_command_gives(completer: Any) -> None:
    text = json.dumps({"playlists": [{"name": "its own", "tracks": []}, {"tracks": ["Hjarta"]}, {"tracks": []}]})
    command = ["complete", "--file", "-", "--name", "given", "--k", "1", "--json"]
    lines = CliRunner().invoke(app, command, input=text, catch_exceptions=False).stdout.splitlines()
    assert [json.loads(line)["playlist"] for line in lines] == ["its own", "given", "given"]


def test_of_an_ambiguous_title_the_artists_are_told_and_which_was_taken(completer: Any) -> None:
    done = CliRunner().invoke(app, ["complete", "--tracks", "Hello; Hjärta", "--k", "1"])
    assert "'Hello' is taken as One – Hello" in done.stderr
    assert {"Two – Hello", "Three – Hello"} <= set(done.stderr.partition("also ")[2].splitlines()[0].split(", "))
    done = CliRunner().invoke(app, ["complete", "--tracks", "One – Hello; Hjarta", "--k", "1"])
    assert "Two" not in done.stderr, "the artist was named"


def test_as_many_tracks_as_asked_for_are_added(completer: Any) -> None:
    for count in (1, 10, 11, 37):
        done = CliRunner().invoke(app, ["complete", "--tracks", "Hjarta", "--k", str(count)])
        assert len(done.stdout.splitlines()) == count
        done = CliRunner().invoke(app, ["complete", "--name", "anything", "--k", str(count)])
        assert len(done.stdout.splitlines()) == count


def test_a_list_of_unknown_tracks_is_completed_by_the_most_popular_tracks_first(completer: Any) -> None:
    told = completer.complete(["unknown one"], 20)
    assert told.known_by == "popularity"
    counts = completer.known.tracks.set_index("track")["playlists"]
    added = [counts[one.track] for one in told.tracks]
    assert added == sorted(counts[counts > 0], reverse=True)[:20]
    shares = [count / completer.known.words.total for count in added]
    assert [one.chance for one in told.tracks] == pytest.approx(shares, rel=1e-5)


def test_a_name_alone_is_completed_by_its_words(completer: Any) -> None:
    words = completer.known.words
    word = max(words.words, key=lambda each: -words.lists[words.number[each]])
    told = completer.complete([], 5, name=f"My {word.upper()}! xyzzy")
    expected = words.scores([word])[0]
    assert told.known_by == "name"
    assert told.by_words == [word], "a word that no playlist has is not said to be left out"
    assert [one.chance for one in told.tracks] == pytest.approx(sorted(expected, reverse=True)[:5], rel=1e-5)


def test_lists_are_completed_at_a_thousand_a_second(completer: Any) -> None:
    import time  # noqa: PLC0415

    from winnow.recommend.typed import TypedList, Wanted  # noqa: PLC0415

    lists = [TypedList((Wanted(TRACKS[n % 20][1]), Wanted(TRACKS[n % 7][1]))) for n in range(2000)]
    before = time.process_time()
    assert sum(len(each.tracks) == 10 for each in completer.complete_all(lists, 10)) == 2000
    assert time.process_time() - before < 2
