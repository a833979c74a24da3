"""Reading listening data: every format, and every way in which a file may be wrong."""

import gzip
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from winnow.domains.sessions.cli import _source, app
from winnow.domains.sessions.params import Events, Filter, Source, Synthetic
from winnow.domains.sessions.rules.plays import judge_plays
from winnow.domains.sessions.source import events, formats, hetrec, lightgcn, synthetic
from winnow.domains.sessions.source.merge import catalogue, merge_plays, song_genres
from winnow.pipeline.errors import SourceError

COLUMNS = Events(
    header=True, user="user", item=["song"], timestamp="time", genre="genre", skipped="skipped", share_played="share"
)
HEADER = "user,song,time,genre,skipped,share\n"


def log(folder: Path, text: str) -> Path:
    file = folder / "plays.csv"
    file.write_text(HEADER + text)
    return file


def test_an_event_log_with_everything(tmp_path: Path) -> None:
    found = events.read(
        log(tmp_path, "ann,one,1000,rock|Pop,false,0.9\nbob,two,2020-01-01T00:00:00Z,,true,\n"), COLUMNS
    )
    assert found.plays[["user", "song"]].to_numpy().tolist() == [["ann", "one"], ["bob", "two"]]
    assert found.plays["timestamp"].tolist() == [1000, 1_577_836_800]
    assert found.plays["skipped"].tolist() == [False, True]
    assert found.plays["share_played"].isna().tolist() == [False, True]
    assert sorted(found.genres["genre"]) == ["pop", "rock"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",one,1,,,", "the user or the song is missing"),
        ("ann,,1,,,", "the user or the song is missing"),
        (
            "ann,one,yesterday,,,",
            "the timestamp is neither seconds since 1970 nor like 2024-05-01T12:00:00: 'yesterday'",
        ),
        ("ann,one,1,,,1.5", "the share played is no number of 0 to 1: '1.5'"),
        ("ann,one,1,,,much", "the share played is no number of 0 to 1: 'much'"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    found = events.read(log(tmp_path, f"ann,zero,1,,,\n\n{row}\nann,two,2,,,\n"), COLUMNS)
    assert found.rejected.to_numpy().tolist() == [[4, reason]], "not its line, of which the header is 1"
    assert len(found.plays) == 2


def test_a_column_of_counts_is_the_number_of_plays(tmp_path: Path) -> None:
    """Rows of one user and song without a time are added up; a line is one play where no column is named."""
    rows = "ann,one,,17,,\nann,one,,3,,\nbob,two,5,2.5,,\nbob,two,6,0,,\nbob,two,7,2.0,,\n"
    counting = COLUMNS.model_copy(update={"plays": "genre", "genre": None})
    found = events.read(log(tmp_path, rows), counting)
    assert found.plays["plays"].tolist() == [17, 3, 2]
    assert found.rejected["row"].tolist() == [4, 5], "not the half play and the play that was none"
    assert all("'genre' is no whole number of plays" in reason for reason in found.rejected["reason"])
    assert merge_plays([found])[["user", "plays"]].to_numpy().tolist() == [["ann", 20], ["bob", 2]]
    without = counting.model_copy(update={"plays": None})
    assert events.read(log(tmp_path, rows), without).plays["plays"].tolist() == [1] * 5


@pytest.mark.parametrize(
    ("option", "column", "value"),
    [
        ("--user-column", "user", "listener"),
        ("--item-column", "song", "title"),
        ("--timestamp-column", "timestamp", "1000"),
        ("--skipped-column", "skipped", "true"),
        ("--share-column", "share_played", "0.25"),
        ("--plays-column", "plays", "7"),
    ],
)
def test_evaluate_reads_the_column_that_each_option_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, column: str, value: str
) -> None:
    seen = []

    def read(source: Source, path: Path) -> None:
        seen.append(formats.read(source, path).plays)
        raise SourceError("enough was read")

    file = tmp_path / "plays.csv"
    file.write_text(f"user,item,other\nann,one,{value}\n")
    monkeypatch.setattr("winnow.domains.sessions.cli.use_model", lambda *_: None)
    monkeypatch.setattr("winnow.domains.sessions.source.formats", SimpleNamespace(read=read))
    with pytest.raises(SourceError, match="enough was read"):
        CliRunner().invoke(app, ["evaluate", str(file), option, "other"], catch_exceptions=False)
    assert seen[0][column].astype(str).str.lower().tolist() == [value]


def test_columns_by_position_and_parquet_and_a_name_that_stands_twice(tmp_path: Path) -> None:
    by_place = {"header": False, "user": 0, "item": [1, 2], "timestamp": 3}
    places = COLUMNS.model_copy(update=by_place | dict.fromkeys(("genre", "skipped", "share_played")))
    file = tmp_path / "plays.tsv.gz"
    file.write_bytes(gzip.compress(b'ann\tBand\tSong "x\t7\n\nann\tBand\tOther\t8\n'))
    assert events.read(file, places).plays["song"].tolist() == ['Band – Song "x', "Band – Other"]
    table = pd.DataFrame({"user": ["1", "2"], "song": [10, 20], "time": [5.0, None]})
    table.to_parquet(tmp_path / "plays.parquet")
    named = COLUMNS.model_copy(update=dict.fromkeys(("genre", "skipped", "share_played")))
    assert events.read(tmp_path / "plays.parquet", named).plays["timestamp"].isna().tolist() == [False, True]
    pd.DataFrame({"user": ["1", ""], "song": ["a", "b"], "time": [5, 6]}).to_parquet(tmp_path / "gap.parquet")
    assert events.read(tmp_path / "gap.parquet", named).rejected["row"].tolist() == [2], "rows count from 1"
    with pytest.raises(SourceError, match="has no column 'genre'"):
        events.read(tmp_path / "plays.parquet", COLUMNS)


def test_a_song_of_two_columns_needs_both(tmp_path: Path) -> None:
    both = COLUMNS.model_copy(update={"item": ["genre", "song"]})
    found = events.read(log(tmp_path, "ann,one,1,rock,,\nann,,2,rock,,\nann,two,3,,,\n"), both)
    assert found.plays["song"].tolist() == ["rock – one"]
    assert found.rejected["row"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("name", "form"), [("train.txt.gz", "lightgcn"), ("user_artists.dat", "lastfm_hetrec"), ("other.csv", "events")]
)
def test_the_format_is_known_by_the_file_s_name(name: str, form: str) -> None:
    assert _source(Path(name), None, COLUMNS).format == form
    assert _source(Path(name), "events", COLUMNS).events == COLUMNS


def test_files_that_are_something_else_are_refused(tmp_path: Path) -> None:
    (tmp_path / "user_artists.dat").write_text("a,b,c\n1,2,3\n")
    with pytest.raises(SourceError, match="does not begin with the line `userID artistID weight`"):
        hetrec.read(tmp_path / "user_artists.dat")
    (tmp_path / "train.txt").write_text("0 1 2\n")
    with pytest.raises(SourceError, match="test.txt does not exist"):
        lightgcn.read(tmp_path / "train.txt")
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(b"user,song\na,b\n")[:-6])
    with pytest.raises(SourceError, match="cannot be read"):
        events.read(tmp_path / "broken.csv.gz", COLUMNS)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="is not a readable Parquet file"):
        events.read(tmp_path / "broken.parquet", COLUMNS)
    (tmp_path / "empty.csv").write_text(HEADER)
    with pytest.raises(SourceError, match="holds no play"):
        events.read(tmp_path / "empty.csv", COLUMNS)


def test_hetrec_rows_with_gaps_and_bad_counts(tmp_path: Path) -> None:
    (tmp_path / "user_artists.dat").write_text(
        "userID\tartistID\tweight\n2\t51\t10\n\n2\t99999\t1\n3\t51\tmany\n4\t\t5\n"
    )
    found = hetrec.read(tmp_path / "user_artists.dat")
    assert found.plays["song"].tolist() == ["51", "99999"]
    uncountable, missing = found.rejected["reason"]
    assert uncountable == "the weight is no whole number of plays from 1 to 2,147,483,647: 'many'"
    assert found.rejected["row"].tolist() == [5, 6]
    assert missing == "the user or the artist is missing"
    assert found.genres.empty


@pytest.mark.parametrize("weight", ["inf", "-inf", "nan", "1e30", "1.9", "0", "-3", "0.5", ""])
def test_a_weight_that_counts_nothing_is_rejected(tmp_path: Path, weight: str) -> None:
    (tmp_path / "user_artists.dat").write_text(f"userID\tartistID\tweight\n2\t51\t10\n2\t52\t{weight}\n")
    found = hetrec.read(tmp_path / "user_artists.dat")
    assert found.plays["plays"].tolist() == [10]
    assert len(found.rejected) == 1


def test_plays_told_twice_are_one_and_times_are_put_in_order(tmp_path: Path) -> None:
    rows = "ann,b,30,,,\nann,a,10,,,\nann,b,30,,,\nann,a,20,,,\nbob,a,5,,,\n"
    merged = merge_plays([events.read(log(tmp_path, rows), COLUMNS)])
    assert merged[["user", "song", "timestamp"]].to_numpy().tolist() == [
        ["ann", "a", 10], ["ann", "a", 20], ["ann", "b", 30], ["bob", "a", 5],
    ]  # fmt: skip
    assert merged["play"].tolist() == [0, 1, 2, 3]


def test_plays_without_times_are_added_and_skipped_ones_stay_apart(tmp_path: Path) -> None:
    rows = "ann,a,,,,\n" * 50 + "ann,b,,,true,\nann,b,,,,0.9\nann,b,,,true,\n"
    merged = merge_plays([events.read(log(tmp_path, rows), COLUMNS)])
    assert merged.groupby("song")["plays"].sum().to_dict() == {"a": 50, "b": 3}
    assert merged[merged["skipped"].fillna(False)]["plays"].tolist() == [2]


ROW = st.tuples(
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(["", "10", "500"]),
    st.just(""),
    st.sampled_from(["", "true", "false"]),
    st.sampled_from(["", "0.1", "0.5", "1.0"]),
)


@settings(max_examples=40, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(ROW, min_size=1, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_a_log_s_rows_decides_nothing(rows: list[tuple[str, ...]], random: Random) -> None:
    """Nor does it change what the filter keeps: every play that is not skipped or cut short, counted once."""
    lists = [rows, random.sample(rows, len(rows))]
    with TemporaryDirectory() as folder:
        logs = [events.read(log(Path(folder), "\n".join(map(",".join, each)) + "\n"), COLUMNS) for each in lists]
    merged, other = (merge_plays([each]) for each in logs)
    pd.testing.assert_frame_equal(merged, other)
    heard = [row for row in rows if row[4] != "true" and not float(row[5] or 1) < 0.3]
    untimed = Counter((user, song) for user, song, time, *_ in heard if not time)
    expected = (
        untimed
        + Counter({row[:2]: 0 for row in heard})
        + Counter(key[:2] for key in {row[:3] for row in heard if row[2]})
    )
    rules = Filter(
        drop_skipped=True,
        min_share_played=0.3,
        repeat_seconds=0,
        bot_plays_per_day=10**6,
        min_user_songs=1,
        min_song_users=1,
    )
    kept = merged[judge_plays([merged], rules).reason < 0] if heard else merged.iloc[:0]
    assert kept.groupby(["user", "song"])["plays"].sum().to_dict() == dict(expected)


def test_counts_of_the_same_pair_are_added(tmp_path: Path) -> None:
    (tmp_path / "user_artists.dat").write_text("userID\tartistID\tweight\n2\t51\t10\n2\t51\t10\n2\t51\t5\n")
    merged = merge_plays([hetrec.read(tmp_path / "user_artists.dat")])
    assert merged["plays"].tolist() == [25]


def test_the_synthetic_world_is_what_it_tells_of_itself() -> None:
    import numpy as np  # noqa: PLC0415

    params = Synthetic(songs=200, users=60, genres=5, scene_songs=10, explore=0.1)
    world = synthetic.make(params, np.random.default_rng(1))
    again = synthetic.make(params, np.random.default_rng(1))
    pd.testing.assert_frame_equal(world.listening.plays, again.listening.plays)
    assert world.tastes.groupby("user")["probability"].sum().to_numpy() == pytest.approx(1)
    assert world.scenes.groupby("scene")["probability"].sum().to_numpy() == pytest.approx(1)
    scene_of = world.scenes[world.scenes["scene"] > 0].set_index("song")["scene"]
    plays = world.listening.plays
    liked = set(zip(world.tastes["user"], world.tastes["scene"], strict=True))
    own = [pair in liked for pair in zip(plays["user"], plays["song"].map(scene_of), strict=True)]
    assert np.mean(own) > 0.85
    titles = world.listening.titles
    assert set(titles.index) >= set(plays["song"])
    assert titles.is_unique
    many = synthetic._titles(np.arange(3000))
    assert many.is_unique
    assert not many.str.contains(r"s\d{6}").any()
    genres = song_genres(catalogue(plays, [world.listening])["song"], [world.listening], 5)
    assert set(genres["song"]) == set(plays["song"])
    assert genres["user"].isna().all()


def test_the_real_files_are_read_whole(shared_data: Path) -> None:
    folder = shared_data / "sessions"
    lastfm = hetrec.read(folder / "hetrec2011-lastfm-2k/user_artists.dat.gz")
    assert len(lastfm.plays) == 74_323
    assert len(lastfm.rejected) == 0
    assert lastfm.plays["user"].nunique() == 1514
    assert lastfm.plays["song"].nunique() == 15_288
    assert {"rock", "electronic"} <= set(lastfm.genres["genre"])
    assert lastfm.titles["51"] == "Duran Duran"
    small = COLUMNS.model_copy(
        update={"header": False, "user": 0, "item": [2, 4], "timestamp": 5}
        | dict.fromkeys(("genre", "skipped", "share_played"))
    )
    scrobbles = events.read(folder / "lastfm-events-small/listening_events.tsv.gz", small)
    assert len(scrobbles.plays) + len(scrobbles.rejected) == 1302
    assert scrobbles.plays["user"].nunique() == 14
    named = small.model_copy(
        update={"header": True, "user": "user", "item": ["artist", "song"], "timestamp": "timestamp"}
    )
    newest_first = events.read(next((folder / "lastfm-1k-fragment").glob("*.gz")), named)
    assert merge_plays([newest_first])["timestamp"].is_monotonic_increasing
    assert newest_first.plays["timestamp"].notna().all()


def test_the_official_gowalla_split_is_kept(shared_data: Path) -> None:
    found = lightgcn.read(shared_data / "sessions/lightgcn-gowalla/train.txt.gz")
    assert found.plays["official_split"].value_counts().to_dict() == {"train": 810_128, "test": 217_242}
    assert (found.plays["user"].nunique(), found.plays["song"].nunique()) == (29_858, 40_981)
