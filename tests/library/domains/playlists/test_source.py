"""Reading playlists: slices, CSV files, genres, and the embedded world."""

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winnow.domains.playlists.params import Synthetic
from winnow.domains.playlists.source import formats, genres, mpd, names, synthetic, table
from winnow.domains.playlists.source.listing import Piece
from winnow.pipeline.errors import SourceError


def track(number: int, **changes: object) -> dict[str, object]:
    return {
        "track_uri": f"uri:{number}",
        "track_name": f"title {number}",
        "artist_name": f"artist {number % 3}",
    } | changes


def write_slice(folder: Path, first: int, playlists: list[object], suffix: str = ".json") -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"mpd.slice.{first}-{first + 999}{suffix}"
    data = json.dumps({"info": {}, "playlists": playlists}).encode()
    file.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    return file


def joined(pieces: list[Piece]) -> pd.DataFrame:
    return pd.concat([piece.entries for piece in pieces], ignore_index=True)


def test_drawn_artists_and_tracks_have_names_of_their_own() -> None:
    artists, titles = ([name(number) for number in range(60_000)] for name in (names.artist_name, names.track_title))
    assert len(set(artists)) == len(set(titles)) == 60_000
    assert not any(character in "".join(artists + titles) for character in ";–")
    assert all(not character.isdigit() for name in artists for character in name)


def test_slices_are_read_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write_slice(tmp_path / "mpd", 10_000, [{"pid": 10_000, "name": "c", "tracks": [track(5)]}])
    write_slice(tmp_path / "mpd", 2000, [{"pid": 2000, "name": "b", "tracks": [track(2), track(1)]}], ".json.gz")
    write_slice(tmp_path / "mpd", 0, [{"pid": 0, "name": "a", "tracks": [track(7)]}])
    (tmp_path / "mpd" / "README.md").write_text("not a slice")
    pieces = list(mpd.read(tmp_path / "mpd"))
    assert joined(pieces).to_dict("list") == {
        "playlist": [0, 1, 1, 2],
        "position": [0, 0, 1, 0],
        "track": ["uri:7", "uri:2", "uri:1", "uri:5"],
        "title": ["title 7", "title 2", "title 1", "title 5"],
        "artist": ["artist 1", "artist 2", "artist 1", "artist 2"],
    }
    names = pd.concat([piece.playlists for piece in pieces])
    assert names["key"].tolist() == ["0", "2000", "10000"]
    assert names["name"].tolist() == ["a", "b", "c"]


def test_what_a_slice_lacks_is_rejected_with_its_row(tmp_path: Path) -> None:
    lists: list[object] = [
        {"pid": 1, "tracks": [track(0), {"track_name": "no uri"}, track(1, artist_name="")]},
        {"pid": 2, "tracks": []},
        "no playlist",
        {"pid": 3, "tracks": [track(2)]},
    ]
    pieces = list(mpd.read(write_slice(tmp_path, 0, lists)))
    assert pieces[0].rejected.to_dict("list") == {
        "row": [1, 3, 4],
        "reason": [
            "the track has no track_uri: pid 1, track 2",
            "the playlist has no tracks: pid 2",
            "the playlist has no tracks: pid 2",
        ],
    }
    assert joined(pieces)["artist"].isna().tolist() == [False, True, False]
    assert joined(pieces)["playlist"].tolist() == [0, 0, 3]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ('{"playlists": [{"pid": 1, "tracks": [{"track_u', "is no whole JSON"),
        ('{"lists": []}', "has no list `playlists`"),
        ("[]", "has no list `playlists`"),
        ("[" * 100_000, "is no whole JSON"),
        ('{"playlists": ' + "9" * 5000 + "}", "is no whole JSON"),
    ],
)
def test_a_slice_that_is_none_is_one_clear_message(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "mpd.slice.0-999.json"
    file.write_text(content)
    with pytest.raises(SourceError, match=told) as error:
        list(mpd.read(file))
    assert "mpd.slice.0-999.json" in error.value.what
    assert error.value.fix


def test_what_is_neither_a_file_nor_a_folder_is_read_as_a_file() -> None:
    """Such as a pipe of a shell: `evaluate <(zcat slice.gz)`."""
    with pytest.raises(SourceError, match="/dev/null is empty"):
        list(mpd.read(Path("/dev/null")))


def test_half_of_a_surrogate_pair_is_a_question_mark(tmp_path: Path) -> None:
    file = tmp_path / "mpd.slice.0-999.json"
    file.write_text(
        json.dumps({"playlists": [{"pid": 1, "name": "x\ud83c", "tracks": [track(1, track_name="\ud83d!")]}]})
    )
    (piece,) = mpd.read(file)
    assert piece.entries["title"].tolist() == ["?!"]
    assert piece.playlists["name"].tolist() == ["x?"]


def test_a_truncated_gzip_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    file = write_slice(tmp_path, 0, [{"tracks": [track(n) for n in range(100)]}], ".json.gz")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(SourceError, match="cannot be read"):
        list(mpd.read(file))
    (tmp_path / "nothing").mkdir()
    with pytest.raises(SourceError, match=r"holds no mpd.slice"):
        list(mpd.read(tmp_path / "nothing"))


def test_memory_does_not_grow_with_the_number_of_slices(tmp_path: Path) -> None:
    peaks = []
    for count in (3, 12):
        folder = tmp_path / str(count)
        for number in range(count):
            lists = [{"pid": n, "tracks": [track(number * 10**6 + n * 100 + m) for m in range(40)]} for n in range(60)]
            write_slice(folder, 1000 * number, lists)
        tracemalloc.start()
        for piece in mpd.read(folder):
            del piece
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_the_real_slices_are_read_whole(shared_data: Path) -> None:
    playlists = entries = 0
    for piece in mpd.read(shared_data / "playlists/mpd-7k"):
        playlists, entries = playlists + len(piece.playlists), entries + len(piece.entries)
        assert piece.rejected.empty
    assert (playlists, entries) == (5657, 559_804)


KAGGLE = '"user_id", "artistname", "trackname", "playlistname"\n'


def test_a_csv_of_kaggle_with_quotes_within_quotes(tmp_path: Path) -> None:
    file = tmp_path / "spotify_dataset.csv"
    file.write_text(
        KAGGLE
        + '"u1","Elvis","(The ""Angels"") Red, Shoes","HARD ROCK"\n'
        + '"u1","The \\"Big\\" One, Two","say","HARD ROCK"\n'
        + '"u2","Elvis","plain","HARD ROCK"\n'
        + '"u1","only","three fields"\n'
        + '"u1","","no artist","HARD ROCK"\n'
        + '"u1","nobody","","HARD ROCK"\n',
        encoding="utf-8",
    )
    (piece,) = table.read(file)
    assert piece.entries["track"].tolist() == [
        'Elvis – (The "Angels") Red, Shoes', 'The "Big" One, Two – say', "Elvis – plain", "no artist",
    ]  # fmt: skip
    assert piece.entries["playlist"].tolist() == [0, 0, 1, 0]
    assert piece.entries["position"].tolist() == [0, 1, 0, 2]
    assert piece.entries["artist"].isna().tolist() == [False, False, False, True]
    assert piece.playlists["key"].tolist() == ["u1/HARD ROCK", "u2/HARD ROCK"]
    assert piece.rejected.to_dict("list") == {
        "row": [5, 7],
        "reason": [
            """the line has not 4 fields: '"u1","only","three fields"'""",
            """the track or the playlist is missing: '"u1","nobody","","HARD ROCK"'""",
        ],
    }


def test_a_quote_that_is_never_closed_spoils_its_line_only(tmp_path: Path) -> None:
    file = tmp_path / "lists.csv"
    file.write_text(KAGGLE + '"u","a","one","p"\n"u","a,"two","p"\n"u","a","three","p"\n')
    (piece,) = table.read(file)
    assert piece.entries["title"].tolist() == ["one", "three"]
    assert len(piece.rejected) == 1


def test_other_headers_and_playlists_over_several_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "LINES", 2)
    file = tmp_path / "lists.csv.gz"
    file.write_bytes(gzip.compress(b"\xef\xbb\xbfTrack,Playlist\na,p\nb,q\nc,p\nd,p\n"))
    pieces = list(formats.read("csv", file))
    assert len(pieces) == 2
    assert joined(pieces)["playlist"].tolist() == [0, 1, 0, 0]
    assert joined(pieces)["position"].tolist() == [0, 0, 1, 2]
    assert joined(pieces)["artist"].isna().all()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("user,artist,thing\n", "has no column playlist and track"),
        ("Benutzer;Liste;Titel\nu;p;a\n", "it names Benutzer, Liste, Titel"),
        ("PK\x03\x04", "an Excel file"),
        ("sep=;\n" + "user;playlist;track\n", "remove that line"),
        (KAGGLE, "holds nothing but its header"),
    ],
)
def test_a_csv_without_the_columns_is_told(tmp_path: Path, content: str, told: str) -> None:
    file = tmp_path / "lists.csv"
    file.write_text(content)
    with pytest.raises(SourceError, match=told):
        list(table.read(file))


EXPORTIFY = '"Track URI","Track Name","Album Name","Artist Name(s)","Release Date"\n'


def test_of_a_folder_of_csvs_each_is_a_playlist_unless_a_column_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "Road trip.csv").write_text(
        EXPORTIFY + 'u1,"Jóga","a",Björk;Guest,1997\nu2,"One, two",a,"Tyler, X",1\n'
    )
    (tmp_path / "empty.csv").write_text(EXPORTIFY)
    (tmp_path / "both.CSV").write_text("playlist,artist,title\np,A,a\nq,B;C,b\np,,c\n")
    (tmp_path / "sleep.csv.gz").write_bytes(
        gzip.compress((EXPORTIFY + "u1,,a,Björk,1997\nu1,Jóga,a,Björk,1\n").encode())
    )
    (tmp_path / "notes.txt").write_text("none")
    assert formats.guess(tmp_path) == "csv"
    pieces = list(formats.read("csv", tmp_path))
    names = pd.concat(piece.playlists for piece in pieces)["name"].tolist()
    assert names == ["Road trip", "p", "q", "sleep"], "in the order of file names"
    told = joined(pieces)
    assert list(zip(told["playlist"], told["position"], told["artist"].fillna(""), told["title"], strict=True)) == [
        (0, 0, "Björk", "Jóga"), (0, 1, "Tyler, X", "One, two"), (1, 0, "A", "a"), (2, 0, "B;C", "b"), (1, 1, "", "c"),
        (3, 0, "Björk", "Jóga"),
    ]  # fmt: skip
    assert told["track"].iloc[0] == told["track"].iloc[-1], "one track in two files is another track"
    (rejected,) = (row for piece in pieces for row in piece.rejected.itertuples())
    assert rejected.reason.startswith("sleep.csv, line 2: the track or the playlist is missing")
    assert rejected.row == 3 + 4 + 1 + 2, "the lines of the files before count, too"


def test_what_holds_playlists_is_known_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds no \.csv file"):
        list(formats.read("csv", tmp_path))
    assert formats.guess(tmp_path) == "mpd"
    (tmp_path / "mpd.slice.0-9.json").touch()
    (tmp_path / "more.csv").touch()
    assert formats.guess(tmp_path) == "mpd"
    names = ("a.csv", "a.CSV.gz", "mpd.slice.0-9.json", "mpd.slice.0-9.json.gz")
    assert [formats.guess(tmp_path / name) for name in names] == ["csv", "csv", "mpd", "mpd"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_encoding_and_delimiter_gives_the_same_playlists(
    tmp_path: Path, encoding: str, delimiter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["User,Artist,Song Title,Playlist", "ann,Björk,Jóga,café", 'ann,"Queen",Innuendo,café', "bob,x,y,z"]
    content = "\r\n".join(row.replace(",", delimiter) for row in rows)
    for name, data in (("a.csv", content.encode(encoding)), ("a.csv.gz", gzip.compress(content.encode(encoding)))):
        (tmp_path / name).write_bytes(data)
        (piece,) = table.read(tmp_path / name)
        assert piece.rejected.empty
        assert piece.entries["track"].tolist() == ["Björk – Jóga", "Queen – Innuendo", "x – y"]
        assert piece.playlists["key"].tolist() == ["ann/café", "bob/z"]
    told = capsys.readouterr().err
    assert ("not UTF-8 (line 2)" in told) == (encoding == "cp1252")


def test_genres_of_artists(tmp_path: Path) -> None:
    file = tmp_path / "genres.csv"
    file.write_text("Artist,Genre,Count\nElvis,Rock,3\nelvis,rock,1\nElvis,pop,2\n")
    assert genres.read(file).to_dict("list") == {"artist": ["elvis"] * 2, "genre": ["pop", "rock"], "count": [2.0, 4.0]}
    file.write_text("artist,genre\nA,x\n")
    assert genres.read(file)["count"].tolist() == [1.0]
    file.write_text("artist,genre,count\nA,x,1\nB,,1\nC,y,none\n")
    with pytest.raises(SourceError, match=r"line 3: artist, genre or a count above 0 is missing \(2 such lines\)"):
        genres.read(file)
    file.write_text("artist,genre,count\n\nA,x,inf\n")
    with pytest.raises(SourceError, match="line 3: artist, genre or a count above 0 is missing"):
        genres.read(file)
    file.write_text("artist,genre\nA,x\n" + "B" * 200_000 + ",y\n")
    with pytest.raises(SourceError, match="line 3: field larger than field limit"):
        genres.read(file)
    file.write_text("name,style\n")
    with pytest.raises(SourceError, match="does not begin with the columns artist, genre"):
        genres.read(file)


def test_the_embedded_world_has_what_playlists_have() -> None:
    params = Synthetic(playlists=2500, tracks=3000, artists=300, genres=6, mean_length=30, explore=0.1)
    world = synthetic.make_world(params, np.random.default_rng(0))
    pieces = list(synthetic.make_pieces(params, world, np.random.default_rng(1)))
    assert len(pieces) == 3
    entries = joined(pieces)
    assert pd.concat([piece.playlists for piece in pieces])["playlist"].tolist() == list(range(2500))
    assert not entries.duplicated(["playlist", "track"]).any()
    assert (
        entries.groupby("playlist")["position"].agg(["min", "max", "size"]).eval("max == size - 1 and min == 0")
    ).all()
    assert entries["playlist"].nunique() == 2500
    number = entries["artist"].map({names.artist_name(number): number for number in range(300)})
    same = entries["playlist"].eq(entries["playlist"].shift())
    steps = (number - number.shift()).abs()[same]
    drawn = np.random.default_rng(2).permutation(number)
    apart = np.abs(np.diff(drawn))
    assert steps.median() < apart.mean() / 4, "tracks beside each other are of artists near each other"
    counts = entries["track"].value_counts()
    assert counts.iloc[:30].mean() > 10 * counts.median(), "few tracks are in many playlists"
    assert set(world.genres["artist"]) == {names.artist_name(number).lower() for number in range(300)}
    again = joined(list(synthetic.make_pieces(params, world, np.random.default_rng(1))))
    assert again.equals(entries)
