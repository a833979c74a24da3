"""What a user does with a trained network: `winnow playlists complete` and `evaluate`."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from tests.stages.conftest import Finished
from tests.stages.programs import Programs
from winnow.domains.playlists.cli import app
from winnow.learn.folder import model_folder
from winnow.pipeline.errors import WinnowError

PLAYLISTS = Programs.tiny("playlists")
table = PLAYLISTS.table
pytestmark = pytest.mark.parametrize("finished", ["playlists"], indirect=True)


@pytest.fixture
def here(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished folder to change, as the working folder."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def track(uri: str, name: str = "title") -> dict[str, Any]:
    return {"track_uri": uri, "track_name": name, "artist_name": "artist 0"}


def completer() -> Any:
    from winnow.domains.playlists.inference import PlaylistCompleter  # noqa: PLC0415

    return PlaylistCompleter(model_folder("playlists"), torch.device("cpu"))


def test_a_model_card_names_tracks_that_many_playlists_have(here: Path) -> None:
    from winnow.domains.playlists.card import CARD  # noqa: PLC0415

    found = completer()
    counts = found.known.tracks["playlists"]
    named = [counts[found.find("no id", name)] for name in CARD.known(model_folder("playlists"))]
    assert len(named) == 2
    assert min(named) >= counts.nlargest(50).min() > counts.min()


def test_completions_of_a_playlist_never_seen(here: Path) -> None:
    found = completer()
    given = [found.names[number] for number in (4, 9, 2)]
    told = found.complete(given, 7).tracks
    assert len({one.track for one in told}) == 7
    assert not {one.name for one in told} & set(given)
    assert [one.score for one in told] == sorted((one.score for one in told), reverse=True)
    assert {name for kind, name, _ in told[0].reasons if kind == "track"} == set(given)
    assert {"artist", "genre"} <= {kind for kind, _, _ in told[0].reasons}
    other = found.complete(given[::-1], 7).tracks
    assert [one.score for one in other] != [one.score for one in told], "the order matters"
    counts = found.known.tracks.set_index("track")["playlists"]
    assert (counts[[one.track for one in told]] > 0).all()


def test_a_playlist_that_was_trained_on_is_completed_as_evaluate_did(here: Path) -> None:
    found = completer()
    splits, tracks = table("split/splits.parquet"), table("label/tracks.parquet")
    first = table("evaluate/completed.parquet").iloc[0]
    playlist = int(first["playlist"].split()[0])
    own = splits[(splits["playlist_index"] == playlist) & (splits["split"] != "test")].sort_values("position")
    told = found.complete(tracks["track"].iloc[own["track_index"]].tolist(), 3).tracks
    assert told[0].name == first["track"]
    assert told[0].score == pytest.approx(first["score"], abs=1e-5)
    kind, name, effect = told[0].reasons[0]
    assert (kind, name) == (first["kind"], first["reason"])
    assert effect == pytest.approx(first["effect"], abs=1e-5)


def test_names_are_found_whatever_their_case_and_dash_and_unknown_ones_told(here: Path) -> None:
    found = completer()
    artist, title = found.names[5].split(" – ")
    expected = found.complete([found.names[5]], 3).tracks
    for name in (f"{artist.upper()} - {title}", f"  {artist} — {title.title()} ", title, f"{title} – {artist}"):
        assert found.complete([name], 3).tracks == expected
    told = found.complete([found.names[5], "artist 00001 - track 9", found.names[8][:-1] + "q"], 3)
    assert told.tracks == expected, "what is not known is left out"
    assert [one.typed for one in told.left_out] == ["artist 00001 - track 9", found.names[8][:-1] + "q"]
    assert told.left_out[0].near == []
    assert found.names[8] in told.left_out[1].near
    result = CliRunner().invoke(app, ["complete"])
    assert isinstance(result.exception, WinnowError)
    assert "tracks or a file" in result.exception.what


def test_complete_tells_the_first_reasons_that_help(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from winnow.domains.playlists import inference  # noqa: PLC0415

    def complete_all(_: Any, lists: list[Any], count: int, **options: bool) -> Any:
        names = [each.title for each in lists[0].titles]
        reasons = [("track", f"reason {n}", 0.4 - 0.1 * n) for n in range(6)]
        tracks = [
            inference.Completion("id", f"{names} {count}", 1.5, 0.25, reasons),
            inference.Completion("id", "two", 1.0, 0.125, reasons[3:]),
        ]
        yield inference.Completed("", "tracks", [], tracks, [], [])

    monkeypatch.setattr(inference.PlaylistCompleter, "complete_all", complete_all)
    command = ["complete", "--tracks", " a – b;c ; ", "--k", "2"]
    plain = CliRunner().invoke(app, command)
    assert not plain.exception, plain.exception
    assert plain.stdout.splitlines() == ["  1   25.0%  ['a – b', 'c'] 2", "  2   12.5%  two"]
    lines = CliRunner().invoke(app, [*command, "--explain"]).stdout.splitlines()
    told = [" ".join(line.split()) for line in lines if "reason" in line]
    assert [line[:6] for line in told] == ["+0.400", "+0.300", "+0.200", "+0.100"], (
        "three of the first, one of the second"
    )
    assert [line.rpartition("reason ")[2] for line in told] == ["0", "1", "2", "3"]


def test_of_several_tracks_of_a_name_the_one_in_most_playlists_is_meant(here: Path) -> None:
    file = Path("data/playlists/train/model/tracks.parquet")
    tracks = pd.read_parquet(file)
    often, rare = int(tracks["playlists"].idxmax()), int(tracks["playlists"].idxmin())
    assert tracks["playlists"][often] > tracks["playlists"][rare]
    for first, second in ((often, rare), (rare, often)):
        tracks.loc[second, ["title", "artist_index"]] = tracks.loc[first, ["title", "artist_index"]]
        tracks.to_parquet(file, index=False)
        found = completer()
        assert found.names[often] == found.names[rare]
        for name in (found.names[often], tracks["title"][often]):
            assert found.find("no id", name) == often


def test_other_playlists_are_judged(here: Path) -> None:
    found = completer()
    tracks = table("label/tracks.parquet")["track"]
    rng = np.random.default_rng(0)
    lists = [[track(tracks[int(n)]) for n in rng.permutation(len(tracks))[:15]] for _ in range(9)]
    lists.append([track(f"unknown {n}") for n in range(9)])
    lists[0][-1] = track("unknown", "unheard")
    file = Path("mpd.slice.0-9.json")
    file.write_text(json.dumps({"playlists": [{"pid": n, "tracks": own} for n, own in enumerate(lists)]}))
    from winnow.domains.playlists.source import mpd  # noqa: PLC0415

    judged = found.judge(mpd.read(file), None)
    assert (judged["playlists_judged"], judged["playlists_not_judged"], judged["tracks_unknown"]) == (9, 1, 10)
    assert set(judged["model"]) == set(judged["popularity"]) == set(judged["item_knn"])
    with pytest.raises(WinnowError, match="no playlist is left to judge"):
        found.judge(mpd.read(file), 50)
    none_left = CliRunner().invoke(app, ["evaluate", str(file), "--holdout", "50"]).exception
    assert isinstance(none_left, WinnowError)
    assert none_left.where == str(file), "the file is named"
    result = CliRunner().invoke(app, ["evaluate", "nothing.json"])
    assert isinstance(result.exception, WinnowError)
    assert "does not exist" in result.exception.what


def test_playlists_that_the_model_was_trained_on_are_left_out_and_counted(here: Path) -> None:
    from winnow.domains.playlists.source import mpd  # noqa: PLC0415

    splits, tracks = table("split/splits.parquet"), table("label/tracks.parquet")["track"]
    learnt = splits[splits["split"] == "train"]["playlist_index"].unique()[:3]
    lists = [[track(tracks[n]) for n in splits.loc[splits["playlist_index"] == one, "track_index"]] for one in learnt]
    lists[1] = lists[1][:-1]
    lists[2] = lists[2][1:]
    file = Path("mpd.slice.0-2.json")
    file.write_text(json.dumps({"playlists": [{"pid": n, "tracks": own} for n, own in enumerate(lists)]}))
    judged = completer().judge(mpd.read(file), 2)
    assert (judged["playlists_trained_on"], judged["playlists_judged"]) == (2, 1), (
        "one lacks its last track; without its first it is another"
    )
    file.write_text(json.dumps({"playlists": [{"pid": n, "tracks": own} for n, own in enumerate(lists[:2])]}))
    with pytest.raises(WinnowError, match="playlists trained on 2"):
        completer().judge(mpd.read(file), 2)


def test_an_unknown_track_to_find_counts_as_not_found(here: Path) -> None:
    """Recall@100 of all tracks of a playlist of few tracks would be 1 else."""
    found = completer()
    order = found.known.tracks.sort_values("playlists", ascending=False)["track"].tolist()
    from winnow.domains.playlists.source.listing import make_piece  # noqa: PLC0415

    names = [*order[:6], *order[6:9], "unknown one", "unknown two"]
    columns = {"playlist": [0] * 11, "position": range(11), "track": names, "title": names, "artist": [None] * 11}
    judged = found.judge([make_piece([(0, "k", "n")], columns)], 5)
    assert judged["model"]["recall_at_100"] <= 3 / 5
    known = {name: values[:9] for name, values in columns.items()}
    alone = found.judge([make_piece([(0, "k", "n")], known)], 3)
    assert judged["model"]["recall_at_100"] == pytest.approx(alone["model"]["recall_at_100"] * 3 / 5)


def test_a_track_under_a_second_id_is_the_same_track(here: Path) -> None:
    """Known by its first place; it is not to be found again."""
    found = completer()
    from winnow.domains.playlists.source.listing import make_piece  # noqa: PLC0415

    order = found.known.tracks.sort_values("playlists", ascending=False)
    order = order.drop_duplicates("title")[["track", "title"]].head(9)
    ids, titles = order["track"].tolist(), order["title"].tolist()

    def judged(track: list[str], title: list[str]) -> dict[str, Any]:
        count = len(track)
        columns = {
            "playlist": [0] * count, "position": range(count), "track": track, "title": title, "artist": [None] * count
        }  # fmt: skip
        return dict(found.judge([make_piece([(0, "k", "n")], columns)], 3))

    assert judged([*ids, "second id"], [*titles, titles[1]]) == judged(ids, titles)


def test_metrics_of_other_playlists_are_those_of_a_full_sort(here: Path) -> None:
    """Unknown tracks are to be found, too, and a playlist that goes on with such tracks alone has found nothing."""
    found = completer()
    order = found.known.tracks.sort_values("playlists", ascending=False)["track"].tolist()
    from winnow.domains.playlists.model.sequences import sequences_from  # noqa: PLC0415
    from winnow.domains.playlists.source.listing import make_piece  # noqa: PLC0415

    rng = np.random.default_rng(1)
    lists = [[order[n] for n in rng.permutation(60)[:12]] for _ in range(30)]
    for number, own in enumerate(lists):
        own[-3:] = ["new", "new", "newer"][: number % 4] + own[len(own) - 3 + number % 4 :]
    size = 3
    expected: dict[str, list[list[float]]] = {"model": [], "popularity": [], "item_knn": []}
    counts = found.known.tracks["playlists"].to_numpy().astype(float)
    for own in lists:
        once = list(dict.fromkeys(own))
        known = [found.find(name, name) for name in once[:-size]]
        hidden = [found.find(name, name) for name in once[-size:]]
        given = sequences_from([np.array(known)], found.count)
        with torch.no_grad():
            scores = found.completer.scores(given, np.array([0]))[0].numpy()
        weights = np.exp(-np.arange(len(known))[::-1] / found.rival.decay) + found.rival.floor
        knn = np.zeros(found.count)
        for weight, number in zip(weights, known, strict=True):
            same = (found.rival.artist == found.rival.artist[number]) & (found.rival.artist >= 0)
            genres = (found.rival.genres @ found.rival.genres[number].T).toarray().ravel()
            shares = found.rival.artist_weight * same * popular_of_artist(found) + found.rival.genre_weight * genres
            knn += weight * (found.rival.similar[number].toarray().ravel() + shares / weights.sum())
        for name, values in (("model", scores), ("popularity", counts.copy()), ("item_knn", knn)):
            values[known] = -np.inf
            hits = np.isin(np.argsort(-values, kind="stable"), [number for number in hidden if number is not None])
            gain = 1 / np.log2(np.arange(2, 12))
            ndcg = (hits[:10] * gain).sum() / gain[:size].sum()
            clicks = hits.argmax() // 10 if hits[:500].any() else 51
            expected[name].append([hits[:10].sum() / size, ndcg, hits[:size].sum() / size, clicks])
    rows = [(n, place, track) for n, own in enumerate(lists) for place, track in enumerate(own)]
    playlist, position, names = zip(*rows, strict=True)
    columns = {
        "playlist": playlist, "position": position, "track": names, "title": names, "artist": [None] * len(rows)
    }  # fmt: skip
    judged = found.judge([make_piece([(n, f"{n}", "") for n in range(30)], columns)], size)
    assert (judged["playlists_judged"], judged["playlists_not_judged"]) == (30, 0)
    assert judged["tracks_unknown"] == sum(len({"new", "newer"} & set(own)) for own in lists)
    assert judged["tracks_known"] == sum(len(set(own) - {"new", "newer"}) for own in lists)
    for recommender, rows in expected.items():
        metrics = [judged[recommender][name] for name in ("recall_at_10", "ndcg_at_10", "r_precision", "clicks")]
        assert metrics == pytest.approx(np.mean(rows, axis=0).tolist(), rel=1e-5), recommender
    assert judged["popularity"]["recall_at_10"] != judged["model"]["recall_at_10"] != judged["item_knn"]["recall_at_10"]


def popular_of_artist(found: Any) -> np.ndarray:
    """The training playlists of each track over those of its artist's most popular one."""
    counts = found.known.tracks["playlists"]
    most = counts.groupby(found.known.tracks["artist_index"]).transform("max")
    return (counts / np.maximum(most, 1)).to_numpy()


def test_as_many_tracks_are_to_be_found_as_in_training(here: Path) -> None:
    settings = Path("data/playlists/train/model/settings.json")
    settings.write_text(settings.read_text().replace('"holdout_size": 5', '"holdout_size": 2'))
    order = table("label/tracks.parquet")["track"]
    lists = [[track(uri) for uri in order[start : start + 9]] for start in range(0, 45, 9)]
    Path("other.json").write_text(json.dumps({"playlists": [{"pid": n, "tracks": own} for n, own in enumerate(lists)]}))
    from winnow.domains.playlists.source import mpd  # noqa: PLC0415

    def judged(holdout: int | None) -> dict[str, Any]:
        return dict(completer().judge(mpd.read(Path("other.json")), holdout))

    assert judged(None) == judged(2) != judged(5)


def test_a_blend_that_lacks_a_value_is_told_with_what_writes_it(here: Path) -> None:
    settings = Path("data/playlists/train/model/settings.json")
    found = json.loads(settings.read_text())
    assert found["blend"].pop("artist_weight") >= 0
    settings.write_text(json.dumps(found))
    with pytest.raises(
        WinnowError,
        match=r"settings.json is missing, damaged.* blend.artist_weight Field required",
    ):
        completer()


def test_what_is_not_defined_of_other_playlists_is_not_told(here: Path) -> None:
    """No track to find is known, so that none is among those seen in training."""
    known = table("label/tracks.parquet")["track"].head(8)
    own = [track(uri) for uri in [*known, *(f"unknown {n}" for n in range(5))]]
    Path("other.json").write_text(json.dumps({"playlists": [{"pid": 1, "tracks": own}]}))
    result = CliRunner().invoke(app, ["evaluate", "other.json", "--json"])
    judged = json.loads(result.stdout, parse_constant=pytest.fail)
    assert judged["model"]["recall_at_10"] == 0
    assert "seen_recall_at_10" not in judged["model"]
    named = [each.replace(" – ", ",", 1) for each in completer().names[:8]] + [f"nobody,unknown {n}" for n in range(5)]
    lines = ["user,artist,track,playlist", *(f"u,{name},p" for name in named), "u,,,p"]
    Path("other.csv").write_text("\n".join(lines) + "\n")
    for file, is_whole in (("other.json", True), ("other.csv", False)):
        result = CliRunner().invoke(app, ["evaluate", file])
        assert result.exit_code == 0
        assert "playlists judged 1" in result.stdout
        assert "only 1 playlists" in result.stderr
        assert "better" not in result.stdout
        assert ("other.csv, 1 row left out (row 15: " in result.stderr) != is_whole, "why a row is rejected is not told"


def test_only_tracks_of_training_playlists_are_added_however_many_are_asked_for(here: Path) -> None:
    found = completer()
    counts = found.known.tracks.set_index("track")["playlists"]
    assert (counts == 0).any(), "or the test shows nothing"
    first = counts.index[counts > 0][0]
    assert {one.track for one in found.complete([first], 1000).tracks} == set(counts.index[counts > 0]) - {first}
    with pytest.raises(WinnowError, match="the playlist has all tracks of the training data"):
        found.complete(counts.index.tolist(), 5)


def test_the_words_of_names_are_those_of_training_tracks(here: Path) -> None:
    """Counted by hand: tracks of the validation and the test tell nothing, nor do playlists never seen."""
    found = completer().known.words
    splits, names = table("split/splits.parquet"), table("label/playlists.parquet")["name"]
    train = splits[splits["split"] == "train"]
    assert found.total == train["playlist_index"].nunique()
    word = max(found.words, key=lambda each: found.lists[found.number[each]])
    own = [
        number for number in train["playlist_index"].unique() if word in names[number].lower().replace(",", "").split()
    ]
    assert found.lists[found.number[word]] == len(own)
    expected = train[train["playlist_index"].isin(own)]["track_index"].value_counts()
    counts = found.together[found.number[word]].toarray().ravel()
    assert {number: int(count) for number, count in enumerate(counts) if count} == expected.to_dict()
