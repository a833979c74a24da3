"""Lists of titles in the forms that people have them in."""

import json
from pathlib import Path

import pytest

from winnow.pipeline.errors import SourceError
from winnow.recommend.typed import TypedList, Wanted, read_file, read_lists

M3U = """#EXTM3U
#PLAYLIST:Morning
#EXTINF:210,Célia – Sun
music/01 - whatever.mp3
C:\\music\\07 Wind – Rain.flac
"""
THREE = (Wanted("a"), Wanted("b", "B", "id2"), Wanted("", "", "id3"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n\n  b – c \r\n#1 Crush\n", [TypedList((Wanted("a"), Wanted("b – c"), Wanted("#1 Crush")))]),
        ("[Untitled]\nb\n", [TypedList((Wanted("[Untitled]"), Wanted("b")))]),
        (M3U, [TypedList((Wanted("Célia – Sun"), Wanted("Wind – Rain")), "Morning")]),
        (
            json.dumps(["a", {"track_name": "b", "artist_name": "B", "track_uri": "id2"}, {"uri": "id3"}]),
            [TypedList(THREE)],
        ),
        (
            json.dumps({"name": "mine", "tracks": ["a", {"title": "b", "artist": "B", "id": "id2"}, {"id": "id3"}]}),
            [TypedList(THREE, "mine")],
        ),
        (
            json.dumps({"playlists": [{"name": "one", "tracks": ["a"]}, {"name": "two", "tracks": []}]}),
            [TypedList((Wanted("a"),), "one"), TypedList((), "two")],
        ),
        (json.dumps([["a"], ["b"]]), [TypedList((Wanted("a"),)), TypedList((Wanted("b"),))]),
        (
            json.dumps({"items": [{"track": {"name": "b", "artists": [{"name": "B"}, {"name": "C"}], "uri": "id2"}}]}),
            [TypedList((Wanted("b", "B", "id2"),))],
        ),
        ('Track Name,Artist Name(s)\na,\n"b, c",B\n', [TypedList((Wanted("a"), Wanted("b, c", "B")))]),
        (
            "playlist;title;artist\none;a;A\ntwo;b;B\none;c;\n",
            [TypedList((Wanted("a", "A"), Wanted("c")), "one"), TypedList((Wanted("b", "B"),), "two")],
        ),
        ("user,artist\nann,A\nann,B\n", [TypedList((Wanted("A"), Wanted("B")), "ann")]),
        ("id,artist\nid2,B\n", [TypedList((Wanted("", "B", "id2"),))]),  # no title: a track named B is another one
        (json.dumps([{"user": "ann", "likes": ["a"]}]), [TypedList((Wanted("a"),), "ann")]),
        (json.dumps({"name": "summer"}), [TypedList((), "summer")]),
        ("", [TypedList(())]),
    ],
)
def test_forms_are_recognised(text: str, expected: list[TypedList]) -> None:
    assert read_lists(text) == expected


@pytest.mark.parametrize(
    "encoded",
    ["Célia\n".encode("utf-8-sig"), "Célia\n".encode("utf-16"), "Célia\n".encode("cp1252"), "Célia\n".encode()],
)
def test_encodings_are_recognised(tmp_path: Path, encoded: bytes) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(encoded)
    assert read_file(file) == [TypedList((Wanted("Célia"),))]


@pytest.mark.parametrize(
    ("text", "form", "told"),
    [
        ("{", "json", "no json of titles"),
        ("5", "json", "neither a list"),
        ("a,b\n1,2\n", "csv", "none of the columns a, b is known to hold titles"),
        ('{"ann": ["a"]}', "json", "one of the keys tracks, songs, items, likes, or a name; it has ann"),
        ("\x89PNG\r\n\0\0", "lines", "it is not text"),
        ("a", "xml", "no format xml"),
    ],
)
def test_what_holds_no_titles_is_told(text: str, form: str, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        read_lists(text, form)


def test_a_csv_without_titles_is_named() -> None:
    with pytest.raises(SourceError, match=r"songs\.csv"):
        read_lists("a,b\n1,2\n", "csv", "songs.csv")


@pytest.mark.parametrize("who", ["user", "Listener", "User Name", "member", "user_id"])
@pytest.mark.parametrize("artist", ["Artist Name(s)", "band", "artistName"])
def test_columns_go_by_their_usual_names(who: str, artist: str) -> None:
    found = read_lists(f"{who};{artist};Plays\nann;Radiohead;12\nbob;Metallica;3\nann;Portishead;1\n")
    assert found == [
        TypedList((Wanted("Radiohead"), Wanted("Portishead")), "ann"),
        TypedList((Wanted("Metallica"),), "bob"),
    ]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_file(tmp_path / "nothing.txt")
