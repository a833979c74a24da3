"""The eight stages of playlists, on the real params with a small world."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.playlists import ingest, split, weight
from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import DATA_STAGES, Programs
from winnow.pipeline import engine, tables
from winnow.pipeline.errors import LeakageError, SourceError, TableError

PLAYLISTS = Programs.tiny("playlists")
table = PLAYLISTS.table
pytestmark = pytest.mark.parametrize("finished", ["playlists"], indirect=True)


def run(*names: str, **changes: Any) -> dict[str, Any]:
    """Run stages here; gives the last one's metrics."""
    with torch_restored():
        for name in names:
            found = PLAYLISTS.run(name, **changes)
    return found


@pytest.fixture
def here(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished folder to change, as the working folder."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def track(number: int, **changes: Any) -> dict[str, Any]:
    names = {"track_uri": f"uri:{number:04d}", "track_name": f"title {number}", "artist_name": f"artist {number % 9}"}
    return names | changes


def slices(*lists: list[dict[str, Any]]) -> dict[str, Any]:
    """One slice per argument, in the source folder, as ingest's `sources`."""
    folder = Path("data/source/playlists/mpd")
    folder.mkdir(parents=True, exist_ok=True)
    for number, tracks in enumerate(lists):
        playlists = [{"pid": n, "name": f"list {n}", "tracks": own} for n, own in enumerate(tracks)]
        file = folder / f"mpd.slice.{number * 1000}-{number * 1000 + 999}.json"
        file.write_text(json.dumps({"playlists": playlists}))
    return {"sources": [{"format": "mpd", "path": str(folder)}]}


def random_lists(count: int = 40, **changes: Any) -> list[Any]:
    rng = np.random.default_rng(0)
    return [[track(int(number), **changes) for number in rng.permutation(60)[:20]] for _ in range(count)]


def test_playlists_keep_their_own_names(here: Path) -> None:
    """Some are dropped in between, so that a name's place is not its playlist's."""
    lists = random_lists(12)
    lists[3] = lists[3][:4]
    run("ingest", **slices(lists))
    run("filter", min_tracks=12)
    run("label")
    tracks = table("label/tracks.parquet")["track"]
    entries = table("label/entries.parquet").sort_values("position").groupby("playlist_index")["track_index"]
    named = table("label/playlists.parquet").set_index("playlist_index")["name"]
    assert len(named) == 11
    for number, own in entries:
        uris = [each["track_uri"] for each in lists[int(named[number].split()[1])]]
        assert tracks.iloc[own].tolist() == uris


def test_every_entry_is_somewhere(here: Path) -> None:
    entries, kept, dropped = (
        table(name) for name in ("ingest/entries.parquet", "filter/entries.parquet", "filter/dropped.parquet")
    )
    assert sorted([*kept["entry"], *dropped["entry"]]) == entries["entry"].tolist()
    numbered, splits, graph = (
        table(name) for name in ("label/entries.parquet", "split/splits.parquet", "split/graph.parquet")
    )
    assert len(numbered) == len(kept) == len(splits)
    assert len(graph) == (splits["split"] == "train").sum()
    tracks, artists = table("label/tracks.parquet"), table("label/artists.parquet")
    named = numbered.merge(tracks, on="track_index").merge(artists, on="artist_index")
    before = kept.merge(table("label/playlists.parquet"), on="playlist")[["playlist_index", "track", "artist"]]
    columns = ["playlist_index", "track", "artist"]
    assert set(named[columns].itertuples(index=False)) == set(before[columns].itertuples(index=False))


def test_the_last_tracks_are_the_test_and_those_before_the_validation(here: Path) -> None:
    splits = table("split/splits.parquet")
    unseen = set(splits.loc[splits["split"] == "unseen", "playlist_index"])
    count = splits["playlist_index"].nunique()
    assert len(unseen) == round(count / 10)
    ends = (set(range(len(unseen))), set(range(count - len(unseen), count)))
    assert unseen not in ends, "drawn at random"
    for number, own in splits.groupby("playlist_index"):
        sides = own.sort_values("position")["split"].tolist()
        held = ["train"] * (len(own) - 10) + ["val"] * 5 + ["test"] * 5
        assert sides == (["unseen"] * len(own) if number in unseen else held)
    found = run("split", holdout_size=3, max_playlists=20, unseen_share=0.0)
    splits = table("split/splits.parquet")
    assert splits["playlist_index"].nunique() == 20
    assert splits["playlist_index"].max() > 19, "drawn from all"
    assert (splits[splits["split"] == "test"].groupby("playlist_index").size() == 3).all()
    assert found["rows_over_max_playlists"] == len(table("label/entries.parquet")) - len(splits)


def test_a_playlist_shorter_than_the_holdout_is_trained_on_and_counted(here: Path) -> None:
    lists = [*random_lists(), [track(n) for n in range(7)]]
    run("ingest", **slices(lists))
    run("filter", min_tracks=2)
    run("label")
    found = run("split", unseen_share=0.5)
    splits = table("split/splits.parquet")
    is_unseen = (splits.loc[splits["playlist_index"] == 40, "split"] == "unseen").all()
    assert found["playlists_too_short_to_test"] == (not is_unseen), "of half of them training sees nothing"
    found = run("split", unseen_share=0.0)
    assert found["playlists_too_short_to_test"] == 1
    splits = table("split/splits.parquet")
    assert splits[splits["playlist_index"] == 40]["split"].tolist() == ["train"] * 7
    assert run("filter", min_tracks=8)["dropped"]["short_playlist"] == 7
    with pytest.raises(TableError, match="too few to split"):
        run("ingest", **slices([[track(n) for n in range(7)]] * 2))
        run("filter", min_tracks=2)
        run("label", "split")


@pytest.mark.parametrize(("side", "places"), [("val", slice(-10, -5)), ("test", slice(-5, None))])
def test_held_out_tracks_that_no_training_playlist_has_are_nothing_to_find(
    here: Path, side: str, places: slice
) -> None:
    lists = random_lists()
    for number, own in enumerate(lists):
        own[places] = [track(1000 + number * 5 + n) for n in range(5)]
    run("ingest", **slices(lists))
    run("filter", "label")
    with pytest.raises(TableError, match=f"no {side} track is in any training playlist: there is nothing to find"):
        run("split")


def test_held_out_edges_in_the_training_graph_are_leakage(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, splits = table("split/graph.parquet"), table("split/splits.parquet")
    monkeypatch.setattr(split, "training_graph", lambda splits: splits[["playlist_index", "track_index"]])
    with pytest.raises(LeakageError, match=r"held-out entries are edges of the training graph, the first one track \d"):
        run("split")
    more = splits.loc[splits["split"] == "val", ["playlist_index", "track_index"]].head(1)
    for wrong, told in ((more, "1 held-out entries are edges"), (graph.head(2), "2 edges .* are there twice")):
        Path("data/playlists/split").mkdir(exist_ok=True)
        splits.to_parquet("data/playlists/split/splits.parquet", index=False)
        pd.concat([graph, wrong]).to_parquet("data/playlists/split/graph.parquet", index=False)
        with pytest.raises(LeakageError, match=told):
            run("weight")


def test_a_track_twice_the_same_playlist_twice_and_rare_tracks_are_dropped_with_a_reason(here: Path) -> None:
    lists = random_lists(20)
    lists[3] = [*lists[3], lists[3][0]]
    lists[5] = [*lists[5], track(998)]  # in one playlist, although that is there twice
    lists.append(lists[5])
    lists.append([*lists[6][:11], track(999)])
    lists.append([track(n) for n in range(3)])
    lists.append([track(n) for n in (*range(11), 0, 0, 0)])
    run("ingest", **slices(lists))
    found = run("filter", min_tracks=12, min_track_playlists=2)
    assert found["dropped"] == {
        "repeated_track": 4, "same_playlist": 21, "rare_track": 2, "short_playlist": 14, "k_core": 11,
    }  # fmt: skip
    kept = table("filter/entries.parquet")
    assert not kept.duplicated(["playlist", "track"]).any()
    repeated = table("filter/dropped.parquet").query("rule == 'repeated_track'").merge(table("ingest/entries.parquet"))
    assert repeated["position"].tolist() == [20, 11, 12, 13], "its first place counts"
    with pytest.raises(TableError, match="no row is left after filtering"):
        run("filter", min_track_playlists=1000)


def test_an_empty_slice_is_counted_and_a_truncated_one_stops_ingest(here: Path) -> None:
    found = run("ingest", **slices([], random_lists(12), []))
    assert found["pieces_without_track"] == 2
    assert found["playlists"] == 12
    with pytest.raises(SourceError, match=r"the source files of playlists hold no row"):
        run("ingest", **slices([], [], []))
    source = slices(random_lists(12))
    file = Path("data/source/playlists/mpd/mpd.slice.1000-1999.json")
    file.write_text('{"playlists": [{"pid"')
    with pytest.raises(SourceError, match="is no whole JSON"):
        run("ingest", **source)
    file.write_text("")
    with pytest.raises(SourceError, match="is empty"):
        run("ingest", **source)


def test_two_sources_keep_their_playlists_apart(here: Path) -> None:
    folder = Path("data/source/playlists")
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("one", "two"):
        rows = [f"{name},artist,{name} {n % 7},p{n // 7}" for n in range(21)]
        (folder / f"{name}.csv").write_text("\n".join(["user,artist,track,playlist", *rows]))
    sources = [{"format": "csv", "path": str(folder / f"{name}.csv")} for name in ("one", "two")]
    run("ingest", sources=sources)
    entries, playlists = table("ingest/entries.parquet"), table("ingest/playlists.parquet")
    assert playlists["playlist"].tolist() == list(range(6))
    assert entries.groupby("playlist")["track"].nunique().tolist() == [7] * 6
    assert entries.merge(playlists, on="playlist").groupby("source")["track"].nunique().tolist() == [7, 7]
    with pytest.raises(SourceError, match="does not exist"):
        run("ingest", sources=[*sources, {"format": "csv", "path": str(folder / "three.csv")}])


def test_too_many_bad_rows_stop_ingest(here: Path) -> None:
    bad = random_lists(12)
    for own in bad[:2]:
        for entry in own:
            del entry["track_uri"]
    with pytest.raises(SourceError, match="(?s)40 of 240 source rows cannot be used.*the track has no track_uri"):
        run("ingest", **slices(bad))


def test_without_artists_and_genres_all_stages_run_and_say_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("ingest", **slices(random_lists(artist_name="")))
    for name in DATA_STAGES[1:]:
        run(name)
    found = PLAYLISTS.metrics("label")
    assert (found["artists"], found["genres"]) == (0, 0)
    assert found["tracks_without_artist"] == found["tracks"]
    assert "no genre is known" in capsys.readouterr().err
    run("train", "evaluate")
    judged = PLAYLISTS.metrics("judgement")
    assert "diversity_score" not in judged["model"]
    assert set(table("evaluate/completed.parquet")["kind"]) == {"track"}
    run("plot")


def test_genres_of_a_file_reach_the_network(here: Path) -> None:
    source = slices(random_lists())
    file = Path("data/source/playlists/genres.csv")
    file.write_text("artist,genre,count\nArtist 1,rock,2\nartist 1,pop,1\nartist 2,rock,1\nsomeone,jazz,1\n")
    run("ingest", **source, artist_genres=str(file))
    run("filter", "label")
    genres, edges = table("label/genres.parquet"), table("label/genre_edges.parquet")
    assert genres["genre"].tolist() == ["pop", "rock"]
    assert edges["share"].tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert PLAYLISTS.metrics("label")["artists_without_genre"] == 7
    run("label", genres_per_artist=1)
    assert table("label/genre_edges.parquet")["share"].tolist() == [1, 1]
    assert table("label/genres.parquet")["genre"].tolist() == ["rock"], "the most frequent one"


def test_of_several_titles_and_artists_of_a_track_the_first_counts(here: Path) -> None:
    lists = random_lists()
    for own in lists[1:]:
        for entry in own:
            entry |= {"track_name": "another", "artist_name": "someone"}
    run("ingest", **slices(lists))
    run("filter", "label")
    tracks = table("label/tracks.parquet").merge(table("label/artists.parquet"), on="artist_index").set_index("track")
    for entry in lists[0]:
        assert tracks.loc[entry["track_uri"], ["title", "artist"]].tolist() == [
            entry["track_name"],
            entry["artist_name"],
        ]
    assert (tracks["title"] == "another").any()


def test_negatives_follow_popularity_and_edges_common_playlists(here: Path) -> None:
    graph, sampling, edges = (
        table(name) for name in ("split/graph.parquet", "weight/sampling.parquet", "weight/track_edges.parquet")
    )
    counts = np.bincount(graph["track_index"], minlength=len(sampling))
    assert sampling["playlists"].tolist() == counts.tolist()
    chance = np.where(counts > 0, counts**0.75, 0)
    assert sampling["probability"].to_numpy() == pytest.approx(chance / chance.sum())
    assert sampling["embedded"].tolist() == (counts >= 2).tolist()
    known = pd.crosstab(graph["playlist_index"], graph["track_index"]).reindex(columns=range(len(counts)), fill_value=0)
    together = known.T.to_numpy() @ known.to_numpy()
    assert edges["together"].tolist() == together[edges["track_index"], edges["neighbour"]].tolist()
    cosine = edges["together"] / (np.sqrt(counts[edges["track_index"]] * counts[edges["neighbour"]]) + 2.0)
    total = cosine.groupby(edges["track_index"]).transform("sum")
    assert edges["weight"].to_numpy() == pytest.approx((cosine / total).to_numpy(), rel=1e-4)
    assert edges.groupby("track_index").size().max() == 8
    label = PLAYLISTS.metrics("label")
    pairs = len(table("label/entries.parquet"))
    assert label["density"] == pytest.approx(pairs / label["playlists"] / label["tracks"])
    told = PLAYLISTS.metrics("weight")
    assert told["tracks_without_edge"] == len(counts) - edges["track_index"].nunique()
    assert told["tracks_in_no_training_playlist"] == (counts == 0).sum()
    run("weight", negatives="uniform")
    expected = (counts > 0) / (counts > 0).sum()
    assert table("weight/sampling.parquet")["probability"].to_numpy() == pytest.approx(expected)
    with pytest.raises(TableError, match="no track is in 1000 training playlists"):
        run("weight", min_playlists=1000)


def test_ingest_writes_what_it_reads_piece_by_piece(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a slice is read, those before it are no longer held."""
    import weakref  # noqa: PLC0415

    alive: list[Any] = []
    real = ingest.formats.read

    def watched(*arguments: Any) -> Any:
        for piece in real(*arguments):
            alive.append(weakref.ref(piece.entries))
            yield piece
            del piece
            assert sum(each() is not None for each in alive) <= 1

    monkeypatch.setattr(ingest.formats, "read", watched)
    assert run("ingest", **slices(*[random_lists(12)] * 5))["playlists"] == 60


@pytest.mark.parametrize("loss", ["bpr", "sampled_softmax"])
def test_every_loss_learns(here: Path, loss: str) -> None:
    run("train", loss=loss, epochs=6, select="last", early_stopping={"patience": 0})
    curve = pd.read_csv("metrics/playlists/train/plots/metrics/train/loss.tsv", sep="\t")["loss"]
    assert curve.iloc[-1] < 0.95 * curve.iloc[0]


def test_every_value_of_the_network_changes_the_loss(here: Path) -> None:
    """The model's folder tells these values, so that its bytes change whether they are used or not."""
    losses = []
    changes = {"dropout": 0.5, "temperature": 0.5, "heads": 1, "history": 2, "embedding_dim": 16}
    for change in ({}, *({name: value} for name, value in changes.items())):
        run("train", network=change, epochs=1)
        losses.append(Path("metrics/playlists/train/plots/metrics/train/loss.tsv").read_text())
    assert len(set(losses)) == len(losses)


def test_checkpoints_hold_parameters_and_the_model_its_graph(here: Path) -> None:
    from safetensors import safe_open  # noqa: PLC0415

    names = {}
    for name, file in (("checkpoint", "checkpoints/best/model.safetensors"), ("model", "model/model.safetensors")):
        with safe_open(Path("data/playlists/train", file), "np") as tensors:
            names[name] = set(tensors.keys())
    assert names["model"] - names["checkpoint"] >= {"neighbour", "neighbour_weight", "artist_of", "own", "step"}


def test_evaluate_says_all_that_is_asked(here: Path) -> None:
    found = PLAYLISTS.metrics("judgement")
    assert set(found["baseline"]) == {
        "popularity", "artist_popularity", "item_knn", "item_knn_artist", "item_knn_recency", "item_knn_recency_artist",
        "item_knn_ordered", "stan", "sequential_rules", "als", "graph_filter", "ease", "sasrec",
    }  # fmt: skip
    assert set(found["baseline_settings_at_grid_edge"]) == set(found["baseline"])
    assert set(found["difference"]) == {"recall_at_10", "seen_recall_at_10"}
    for name in ("recall_at_10", "seen_recall_at_10", "r_precision", "clicks", "ndcg_at_100"):
        bounds = found["interval"][name]
        assert bounds["low"] <= found["model"][name] <= bounds["high"]
    assert set(table("evaluate/slices.parquet")["by"]) == {"length"}
    assert sorted(file.name for file in Path("data/playlists/plot").iterdir()) == [
        "learning_curves.png", "popularity_bias.png", "recall.png", "recall_by_length.png", "report.html",
    ]  # fmt: skip


def test_weight_checks_the_graph_it_reads(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []

    def check_graph(graph: pd.DataFrame, splits: Iterable[pd.DataFrame]) -> int:
        checked.append((len(graph), sum(map(len, splits))))
        return checked[0][1]

    monkeypatch.setattr(weight, "check_graph", check_graph)
    run("weight")
    assert checked == [(len(table("split/graph.parquet")), len(table("split/splits.parquet")))]


def test_a_piece_at_a_time_gives_what_the_whole_gives(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of fewer rows than two playlists, and an engine with next to no memory of its own."""
    names = ["filter/entries", "filter/dropped", "label/entries", "label/tracks", "label/playlists"]
    names += ["split/splits", "split/graph", "weight/sampling", "weight/track_edges"]
    whole = {name: table(f"{name}.parquet") for name in names}
    counts = {stage: PLAYLISTS.metrics(stage) for stage in DATA_STAGES}
    monkeypatch.setattr(tables, "PIECE", 37)
    monkeypatch.setattr(engine, "PIECE", 2048)
    monkeypatch.setattr(engine, "MEMORY", "24MB")
    for stage in DATA_STAGES[1:]:
        assert run(stage) == counts[stage]
    for name, rows in whole.items():
        pd.testing.assert_frame_equal(table(f"{name}.parquet"), rows, obj=name)
    assert not list(Path(".winnow").glob("spilled-*")), "what was spilled is gone"


def test_what_is_kept_is_what_the_rules_say(here: Path) -> None:
    """Recomputed entry by entry, on lists in which everything occurs: in no order, twice, rare, short."""
    rng = np.random.default_rng(7)
    lists = [[int(track) for track in rng.zipf(1.6, size=rng.integers(1, 14)) % 25] for _ in range(150)]
    lists[70], lists[90] = lists[20], lists[20]
    entries = pd.DataFrame(
        [(owner, place, f"t{track:02d}") for owner, own in enumerate(lists) for place, track in enumerate(own)],
        columns=["playlist", "position", "track"],
    )
    entries = entries.sample(frac=1, random_state=1, ignore_index=True)
    entries.insert(0, "entry", range(len(entries)))
    entries["title"], entries["artist"] = "a", "b"
    playlists = pd.DataFrame({"playlist": range(150), "source": "s", "key": "k", "name": ""})
    entries.to_parquet("data/playlists/ingest/entries.parquet", index=False)
    playlists.to_parquet("data/playlists/ingest/playlists.parquet", index=False)
    found = run("filter", min_tracks=4, min_track_playlists=8)

    first = {tuple(own): owner for owner, own in reversed(list(enumerate(lists)))}
    again = {owner for owner, own in enumerate(lists) if first[tuple(own)] < owner}
    owners = Counter(track for owner, own in enumerate(lists) if owner not in again for track in set(own))
    rules: dict[tuple[int, int], str] = {}
    for owner, own in enumerate(lists):
        for place, track in enumerate(own):
            broken = {
                "repeated_track": track in own[:place],
                "same_playlist": owner in again,
                "rare_track": owners[track] < 8,
                "short_playlist": len(set(own)) < 4,
            }
            rules[owner, place] = next((rule for rule, breaks in broken.items() if breaks), "")
    core = {(owner, lists[owner][place]) for (owner, place), rule in rules.items() if not rule}
    while True:
        tracks, length = Counter(track for _, track in core), Counter(owner for owner, _ in core)
        left = {(owner, track) for owner, track in core if tracks[track] >= 8 and length[owner] >= 4}
        if left == core:
            break
        core = left
    for (owner, place), rule in rules.items():
        if not rule and (owner, lists[owner][place]) not in core:
            rules[owner, place] = "k_core"
    told = entries.assign(
        rule=[rules[owner, place] for owner, place in zip(entries["playlist"], entries["position"], strict=True)]
    )
    dropped = table("filter/dropped.parquet").set_index("entry")["rule"]
    assert dropped.to_dict() == told[told["rule"] != ""].set_index("entry")["rule"].to_dict()
    assert set(dropped) == set(found["dropped"]), "each rule drops something here"
    kept = told[told["rule"] == ""].sort_values(["playlist", "position"], ignore_index=True).drop(columns="rule")
    pd.testing.assert_frame_equal(table("filter/entries.parquet"), kept, check_dtype=False)


def test_of_several_titles_and_artists_of_a_track_the_first_that_is_read_counts(here: Path) -> None:
    lists = random_lists(12)
    lists[0] = [track(each, track_name="other", artist_name="") if each == 5 else track(each) for each in range(20)]
    lists[1] = [track(each) for each in range(20)]
    run("ingest", **slices(lists))
    run("filter", min_tracks=2)
    run("label")
    tracks = table("label/tracks.parquet").set_index("track")
    named = table("ingest/entries.parquet").drop_duplicates("track").set_index("track")
    assert tracks["title"].to_dict() == named["title"].loc[tracks.index].to_dict()
    assert tracks.loc["uri:0005", "title"] == "other"
