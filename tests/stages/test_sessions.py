"""The eight stages of sessions, on the real params with a smaller world, and what a user types afterwards."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from stages.sessions import split
from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.sessions.evaluation import lists
from winnow.domains.sessions.params import Events
from winnow.domains.sessions.source.listening import Listening
from winnow.learn.folder import model_folder
from winnow.pipeline.errors import LeakageError, SourceError, TableError, TrainingError, WinnowError
from winnow.pipeline.params import STAGES
from winnow.recommend.filters import GraphFilter
from winnow.recommend.typed import Wanted

SMALL: dict[str, dict[str, Any]] = {
    "ingest": {"synthetic": {"songs": 160, "users": 90, "genres": 5, "scene_songs": 10, "explore": 0.1}},
    "train": {"epochs": 3, "checkpoint_every": 2},
    "evaluate": {"explanation_checks": 20, "explained_users": 3, "bootstrap": {"resamples": 100, "confidence": 0.95}},
    "plot": {"dpi": 80},
}
LOG = {"header": True, "user": "user", "item": ["song"], "timestamp": "time"} | dict.fromkeys(
    ("genre", "skipped", "share_played")
)


SESSIONS = Programs("sessions", SMALL)
table = SESSIONS.table


def run(name: str, **changes: Any) -> dict[str, Any]:
    """Run one stage here; what it sets in torch for its own program is put back."""
    with torch.random.fork_rng():
        enabled = torch.is_grad_enabled()
        try:
            return SESSIONS.run(name, **changes)
        finally:
            torch.set_grad_enabled(enabled)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all eight stages ran."""
    folder = tmp_path_factory.mktemp("sessions")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in STAGES:
            run(name)
    return folder


@pytest.fixture
def here(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished folder to change, as the working folder."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def source(rows: list[str], **columns: Any) -> dict[str, Any]:
    """An event log of these rows as ingest's `sources`."""
    file = Path("data/source/sessions/mine.csv")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("user,song,time,genre\n" + "\n".join(rows) + "\n")
    return {"sources": [{"format": "events", "path": str(file), "events": LOG | columns}]}


def test_every_row_is_somewhere(here: Path) -> None:
    plays, kept, dropped = table("ingest/plays.parquet"), table("filter/plays.parquet"), table("filter/dropped.parquet")
    assert set(plays["play"]) == set(kept["play"]) | set(dropped["play"])
    assert len(plays) == len(kept) + len(dropped)
    pairs, sides = table("label/interactions.parquet"), table("split/splits.parquet")
    assert pairs["plays"].sum() == len(kept)
    assert set(zip(pairs["user_index"], pairs["song_index"], strict=True)) == set(
        zip(sides["user_index"], sides["song_index"], strict=True)
    )
    assert len(table("weight/interactions.parquet")) == sides["split"].isin(["train", "val"]).sum()


def test_each_user_is_split_by_the_ratios_and_cold_users_train_nothing(here: Path) -> None:
    sides = table("split/splits.parquet")
    cold = sides["split"].str.startswith("cold")
    assert 0 < sides.loc[cold, "user_index"].nunique() == round(0.1 * sides["user_index"].nunique())
    assert not set(sides.loc[cold, "user_index"]) & set(sides.loc[~cold, "user_index"])
    assert (sides[sides["split"] == "cold_given"].groupby("user_index").size() == 5).all()
    counts = pd.crosstab(sides.loc[~cold, "user_index"], sides.loc[~cold, "split"])
    for side, share in (("val", 0.15), ("test", 0.15)):
        assert (counts[side] - share * counts.sum(axis=1)).abs().max() <= 0.5


def test_by_time_nothing_is_tested_that_came_before_training(here: Path) -> None:
    run("split", method="time", cold_ratio=0.0)
    first = table("label/interactions.parquet").merge(table("split/splits.parquet"), on=["user_index", "song_index"])
    times = {side: part.groupby("user_index")["first_played"] for side, part in first.groupby("split")}
    for before, after in (("train", "val"), ("val", "test")):
        waits = (times[after].min() - times[before].max()).dropna()
        assert len(waits) > 50
        assert (waits >= 0).all()


def test_the_official_test_is_kept_and_validation_is_a_share_of_the_rest(here: Path) -> None:
    folder, sizes = Path("data/source/sessions"), (1, 2, 5, 10, 20)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.txt").write_text(
        "".join(f"{user} {' '.join(map(str, range(n)))}\n" for user, n in enumerate(sizes))
    )
    (folder / "test.txt").write_text("".join(f"{user} {n} {n + 1} {n + 2} 0\n" for user, n in enumerate(sizes)))
    run("ingest", sources=[{"format": "lightgcn", "path": str(folder / "train.txt"), "events": None}])
    run("filter", min_user_songs=1, min_song_users=1)
    run("label")
    run("split", method="official", val_ratio=0.8, test_ratio=0.1, cold_ratio=0.0)
    users, songs = table("label/users.parquet")["user"].astype(int), table("label/songs.parquet")["song"].astype(int)
    sides = table("split/splits.parquet")
    sides = sides.assign(user=users[sides["user_index"]].to_numpy(), song=songs[sides["song_index"]].to_numpy())
    for user, count in enumerate(sizes):
        own = sides[sides["user"] == user].groupby("split")["song"].apply(sorted).to_dict()
        assert own["test"] == [count, count + 1, count + 2], "song 0 is in both files and learned from"
        assert sorted(own["train"] + own.get("val", [])) == list(range(count))
        assert len(own["train"]) == max(1, count - round(0.8 * count))


def test_a_user_s_type_sees_no_play_that_is_to_be_found(here: Path) -> None:
    before, sides, pairs = (
        table(name) for name in ("split/user_types.parquet", "split/splits.parquet", "label/interactions.parquet")
    )
    hidden = sides["split"].isin(["val", "test", "cold_target"]).to_numpy()
    rng = np.random.default_rng(0)
    for rows, same in ((hidden, True), (~hidden, False)):
        more = pairs.assign(plays=np.where(rows, pairs["plays"] * rng.integers(1, 1000, len(pairs)), pairs["plays"]))
        more.to_parquet("data/sessions/label/interactions.parquet")
        run("split")
        assert table("split/splits.parquet").equals(sides)
        assert table("split/user_types.parquet").equals(before) is same
    trained = before[before["user_index"].isin(sides.loc[sides["split"] == "train", "user_index"])]
    shares = trained["user_type"].value_counts(normalize=True)
    assert shares[["casual", "regular", "power"]].to_numpy() == pytest.approx([0.5, 0.35, 0.15], abs=0.03)


def test_tags_of_held_out_songs_tell_nothing(here: Path) -> None:
    """Who tags an artist listens to it: only the tags of training rows are used, whatever the others say."""
    folder = Path("data/source/sessions")
    folder.mkdir(parents=True, exist_ok=True)
    heard = [(user, artist) for user in range(12) for artist in range(15) if (user + artist) % 3]
    played = "".join(f"{user}\t{artist}\t5\n" for user, artist in heard)
    (folder / "user_artists.dat").write_text("userID\tartistID\tweight\n" + played)
    (folder / "tags.dat").write_text("tagID\ttagValue\n" + "".join(f"{tag}\ttag {tag}\n" for tag in range(4)))
    entry = {"format": "lastfm_hetrec", "path": str(folder / "user_artists.dat"), "events": None}

    def genres(tag: Callable[[tuple[int, int]], int]) -> pd.DataFrame:
        given = "".join(f"{user}\t{artist}\t{tag((user, artist))}\n" for user, artist in heard)
        (folder / "user_taggedartists.dat").write_text("userID\tartistID\ttagID\n" + given)
        run("ingest", sources=[entry])
        for name in ("filter", "label", "split"):
            run(name)
        return table("split/genres.parquet")

    before = genres(lambda pair: pair[1] % 4)
    users, songs = table("label/users.parquet")["user"], table("label/songs.parquet")["song"]
    sides = table("split/splits.parquet")
    train = sides[sides["split"] == "train"]
    learned = set(zip(users[train["user_index"]].astype(int), songs[train["song_index"]].astype(int), strict=True))
    assert 0 < len(learned) < len(heard)
    pd.testing.assert_frame_equal(genres(lambda pair: pair[1] % 4 if pair in learned else (pair[1] + 1) % 4), before)
    assert not genres(lambda pair: (pair[1] + 1) % 4 if pair in learned else pair[1] % 4).equals(before)
    assert before.groupby("song_index")["share"].sum().to_numpy() == pytest.approx(1)


def test_a_pair_on_two_sides_is_leakage(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = split.split_pairs

    def leaking(*arguments: Any) -> pd.DataFrame:
        sides = real(*arguments)
        return pd.concat([sides, sides[sides["split"] == "test"].head(1).assign(split="train")])

    monkeypatch.setattr(split, "split_pairs", leaking)
    with pytest.raises(LeakageError, match="`user and song` are in two splits"):
        run("split")


def test_plays_that_are_none_are_dropped_with_a_reason(here: Path) -> None:
    good = [f"u{user},s{song},{1000 * user + 100 * song}," for user in range(12) for song in range(6)]
    bot = [f"bot,s{song % 6},{1500 * song}," for song in range(50)]
    eager = [f"eager,s{song % 6},{2880 * song}," for song in range(60)]  # thirty a day
    again = ["u1,s1,1101,", "u3,s3,3330,", "u4,s4,4431,", "u2,s2,9999999,"]  # 1, 30, 31 seconds and months later
    run("ingest", **source([*good, *bot, *eager, *again]))
    found = run("filter", bot_plays_per_day=40, repeat_seconds=30, min_user_songs=2, min_song_users=2)
    assert found["dropped"] == {"bot": 50, "k_core": 0, "repeated": 2, "skipped": 0, "too_short": 0}


def test_negatives_follow_popularity(here: Path) -> None:
    sampling = table("weight/sampling.parquet")
    expected = np.where(sampling["listeners"] > 0, sampling["listeners"] ** 0.75, 0)
    assert sampling["probability"].to_numpy() == pytest.approx(expected / expected.sum())
    run("weight", negatives="uniform", interactions="confidence")
    assert table("weight/sampling.parquet")["probability"].to_numpy() == pytest.approx(1 / len(sampling))
    weights = table("weight/interactions.parquet")
    assert weights.loc[weights["split"] == "train", "weight"].mean() == pytest.approx(1)
    assert weights["weight"].nunique() > 3


def test_data_stages_tell_counts_of_users_songs_and_pairs(here: Path) -> None:
    run("split", val_ratio=0.4, test_ratio=0.5)
    run("weight", interactions="confidence")
    told = {stage: SESSIONS.metrics(stage) for stage in ("ingest", "label", "split", "weight")}
    users, songs, pairs = (table(f"label/{name}.parquet") for name in ("users", "songs", "interactions"))
    assert told["label"]["density"] == pytest.approx(len(pairs) / len(users) / len(songs))
    sides = table("split/splits.parquet").groupby("song_index")["split"].agg(set)
    assert told["split"]["songs_never_in_train"] == sum("train" not in each for each in sides) > 0
    genres = set(table("ingest/genres.parquet")["song"])
    assert told["ingest"]["songs_without_genre"] == len(set(table("ingest/plays.parquet")["song"]) - genres)
    weights = table("weight/interactions.parquet").query("split == 'train'")["weight"]
    assert told["weight"]["effective_interactions"] == pytest.approx(weights.sum() ** 2 / (weights**2).sum(), rel=1e-5)


def test_a_user_with_one_song_is_dropped_and_with_a_low_core_stays_in_training(here: Path) -> None:
    rows = [f"u{user},s{song},{user + song}," for user in range(10) for song in range(8)] + ["lonely,s1,5,"]
    run("ingest", **source(rows))
    assert run("filter", min_user_songs=2, min_song_users=2, repeat_seconds=0)["dropped"]["k_core"] == 1
    run("filter", min_user_songs=1, min_song_users=1, repeat_seconds=0)
    run("label")
    run("split", cold_ratio=0.0)
    lonely = table("label/users.parquet").set_index("user")["user_index"]["lonely"]
    sides = table("split/splits.parquet")
    assert sides[sides["user_index"] == lonely]["split"].tolist() == ["train"]


def test_too_many_bad_rows_stop_ingest_and_a_core_too_strict_stops_filter(here: Path) -> None:
    with pytest.raises(SourceError, match="(?s)1 of 2 source rows cannot be used.*the timestamp is neither"):
        run("ingest", **source(["a,b,1,", "a,c,soon,"]))
    with pytest.raises(TableError, match="no row is left after filtering"):
        run("filter", min_user_songs=1000)
    run("ingest", **source([f"u{user},s{song},{song}," for user in range(3) for song in range(20)]))
    with pytest.raises(TableError, match="3 users and 20 songs are left after filtering"):
        run("filter", min_user_songs=1, min_song_users=1, repeat_seconds=0)


def test_without_genres_gat_works_and_genre_gat_says_why_it_does_not(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column of genres that is empty is told by ingest, which does not know whether the model needs it."""
    rng = np.random.default_rng(0)
    rows = [f"u{user},s{song},{user + song}," for user in range(30) for song in rng.permutation(25)[:10]]
    run("ingest", **source(rows, genre="genre"))
    told = "".join(capsys.readouterr())
    assert "no song has a genre" in told
    assert "sessions.train.model" not in told
    for name in DATA_STAGES[1:]:
        run(name)
    with pytest.raises(TrainingError, match="no song has a genre"):
        run("train", model="genre_gat")
    run("train", epochs=1)
    run("evaluate", baselines={"lightgcn_dims": []})
    found = SESSIONS.metrics("judgement")
    assert "diversity_score" not in found["model"]
    assert found["explanations"]["song"]["checked"] > 0
    assert found["explanations"]["genre"]["checked"] == 0


def test_evaluate_says_all_that_is_asked(here: Path) -> None:
    found = SESSIONS.metrics("judgement")
    names = {
        f"{prefix}{name}_at_{k}"
        for prefix in ("", "cold_", "train_", "val_")
        for name in ("recall", "ndcg")
        for k in (5, 10, 20)
    }
    more = {"mrr_score", "coverage_score", "novelty_score", "diversity_score", "explanation_accuracy", "cold_mrr_score"}
    assert names | more <= set(found["model"])
    assert set(found["baseline"]) == {"popularity", "item_knn", "ease", "als", "graph_filter", "lightgcn"}
    assert found["reference"]["truth"]["recall_at_10"] > found["baseline"]["popularity"]["recall_at_10"]
    assert (
        found["interval"]["recall_at_10"]["low"]
        <= found["model"]["recall_at_10"]
        <= found["interval"]["recall_at_10"]["high"]
    )
    slices = table("evaluate/slices.parquet")
    assert set(slices["by"]) == {"user_type", "history", "cold_start"}
    ranked = table("evaluate/ranked.parquet")
    rows = ranked.groupby("recommender").size()
    assert (rows.drop("truth") == rows["model"]).all()
    assert rows["truth"] == (~ranked["cold"] & (ranked["recommender"] == "model")).sum()
    assert sorted(file.name for file in Path("data/sessions/plot").iterdir()) == [
        "learning_curves.png", "popularity_bias.png", "recall.png", "recall_by_user.png", "report.html",
    ]  # fmt: skip


@pytest.mark.parametrize("loss", ["bpr", "sampled_softmax"])
def test_every_model_and_loss_learns(here: Path, loss: str) -> None:
    run("train", loss=loss, model="genre_gat", epochs=6, select="last", early_stopping={"patience": 0})
    curve = pd.read_csv("metrics/sessions/train/plots/metrics/train/loss.tsv", sep="\t")["loss"]
    assert curve.iloc[-1] < 0.95 * curve.iloc[0]


def test_mode_simple_learns_from_validation_too(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    simple = {"early_stopping": {"patience": 0}, "select": "last", "scheduler": {"name": "constant"}}
    with pytest.raises(ValueError, match="no validation to choose by: network.filter_weight needs one value"):
        run("train", mode="simple", **simple)
    simple["network"] = {"filter_weight": [40.0]}
    run("train", mode="simple", **simple)
    run("evaluate", baselines={"lightgcn_dims": [], "als_factors": [8]})
    config = json.loads(Path("data/sessions/train/model/config.json").read_text())
    assert config["splits"] == ["train", "val"]
    assert SESSIONS.metrics("judgement")["baseline_settings"]["als"]["factors"] == 8
    fitted: list[int] = []

    def fit(train: Any) -> Any:
        fitted.append(train.nnz)
        counts = np.asarray(train.sum(axis=0), dtype=np.float32)
        return lambda known: np.repeat(counts, known.shape[0], axis=0)

    grid = [({"number": 0.0}, fit), ({"number": 1.0}, fit)]
    monkeypatch.setattr(lists, "baseline_grids", lambda *_args, **_options: {"popularity": grid})
    run("evaluate")
    sides = table("split/splits.parquet")["split"].value_counts()
    tuned_on, judged_with = sides["train"], sides["train"] + sides["val"]
    assert fitted == [tuned_on, tuned_on, judged_with], "what was tuned learns from validation, as the model did"
    with pytest.raises(ValueError, match="mode simple has no validation to stop or select by; it needs select: last"):
        run("train", mode="simple", **(simple | {"select": "best"}))


def recommender() -> Any:
    from winnow.domains.sessions.inference import Recommender  # noqa: PLC0415

    return Recommender(model_folder("sessions"), torch.device("cpu"))


def test_recommendations_for_a_user_and_for_a_stranger(here: Path) -> None:
    found = recommender()
    users, sides = table("label/users.parquet"), table("split/splits.parquet")
    songs = table("label/songs.parquet")["song"]
    train_users = sides.loc[sides["split"] == "train", "user_index"].unique()
    user = int(train_users[3])
    known = sides[(sides["user_index"] == user) & sides["split"].isin(["train", "val"])]["song_index"]
    told = found.for_user(users["user"].iloc[user], 7).songs
    assert len(told) == 7
    assert not {one.song for one in told} & set(songs.iloc[known])
    assert [one.score for one in told] == sorted((one.score for one in told), reverse=True)
    titles = table("label/songs.parquet")["title"]
    assert {name for _, name, _ in told[0].reasons} == set(titles.iloc[known])
    own = known.to_numpy()[:4]
    for_stranger = found.for_likes(songs.iloc[own].tolist(), 5).songs
    assert not {one.song for one in for_stranger} & set(songs.iloc[own])
    assert {name for _, name, _ in for_stranger[0].reasons} == set(titles.iloc[own])


def test_explained_are_the_reasons_that_raise_the_score_most(here: Path) -> None:
    from winnow.domains.sessions.cli import SHOWN_REASONS, app  # noqa: PLC0415

    user = table("label/users.parquet")["user"].iloc[3]
    text, found = (
        CliRunner().invoke(app, ["recommend", user, "--k", "9", option], catch_exceptions=False).stdout
        for option in ("--explain", "--json")
    )
    told = [line.split()[0] for line in text.splitlines() if "because of" in line or " genre " in line]
    effects = [
        [f"{effect:+.3f}" for _, _, effect in one["reasons"] if effect > 0] for one in json.loads(found)["songs"]
    ]
    assert told == [effect for own in effects for effect in own[:SHOWN_REASONS]]
    assert len(told) > 9


def test_titles_with_commas_are_recognised_among_those_that_are_liked(here: Path) -> None:
    found = recommender()
    found.songs.loc[[3, 5], "title"] = ["Earth, Wind & Fire", "Fire"]
    songs = found.songs["song"]
    typed = found.index.split(f"{songs[8]}, earth, wind & fire,Fire, ", ",")
    told = found.for_likes(typed, 1).songs
    assert {name for _, name, _ in told[0].reasons} == {"Earth, Wind & Fire", "Fire", found.songs["title"][8]}
    left = found.for_likes(found.index.split("Wind & Fire, Fire", ","), 1)
    assert [(one.typed, one.near) for one in left.left_out] == [("Wind & Fire", ["Earth, Wind & Fire"])]
    assert {name for _, name, _ in left.songs[0].reasons} == {"Fire"}


@pytest.mark.parametrize("model", ["gat", "genre_gat"])
def test_somebody_who_likes_one_song_gets_it_as_the_reason(here: Path, model: str) -> None:
    run("train", model=model, epochs=1)
    found = recommender()
    song = str(found.songs["song"].iloc[0])
    recommended = found.for_likes([song], 3).songs
    assert len(recommended) == 3
    for one in recommended:
        assert [name for kind, name, _ in one.reasons if kind == "song"] == [found.songs["title"].iloc[0]]


def test_unknown_users_and_songs_are_told_with_the_nearest(here: Path) -> None:
    found = recommender()
    with pytest.raises(WinnowError, match="there is no user 'u00001' in the training data") as error:
        found.for_user("u00001", 5)
    assert re.fullmatch(r"such as u\d{6}, u\d{6}, u\d{6}; or .*\(--likes\)", error.value.fix)
    unknown = found.for_likes(["nonsense"], 5)
    assert unknown.known_by == "popularity"
    assert unknown.left_out[0].typed == "nonsense"
    listeners = found.graph.popularity.numpy()
    numbers = found.songs.set_index("song")["song_index"]
    told = [listeners[numbers[one.song]] for one in unknown.songs]
    assert told == sorted(listeners, reverse=True)[:5], "the most popular songs first"
    assert [one.chance for one in unknown.songs] == pytest.approx([count / found.graph.users for count in told])


def test_songs_named_by_artist_and_title_are_found_by_the_title_alone(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = recommender()
    names = [f"Artist {number % 7} – Song {number}" for number in range(len(found.songs))]
    monkeypatch.setattr(found, "songs", found.songs.assign(title=names))
    asked = found.for_likes(["song 3!", "Artist 5 - Song 12", "Song 14 by Artist 0"], 5)
    assert asked.left_out == asked.taken == []
    assert asked.known_by == "songs"
    assert [found.index.find(Wanted(f"Song {number}")).number for number in (3, 12, 14)] == [3, 12, 14]  # type: ignore[union-attr]
    (unknown,) = found.for_likes(["artist 4"], 5).left_out
    assert all(name.startswith("Artist 4 – ") for name in unknown.near)


def test_a_file_of_lists_is_answered_as_each_alone_with_as_many_songs_as_asked_for(here: Path) -> None:
    from winnow.domains.sessions.cli import app  # noqa: PLC0415

    songs = table("label/songs.parquet")["song"]
    lists = [[songs[n], songs[n + 3].upper(), "unknown"] for n in range(6)] + [[]]
    for count in (3, 10, 23):
        command = ["recommend", "--file", "-", "--k", str(count), "--json"]
        done = CliRunner().invoke(app, command, input=json.dumps(lists), catch_exceptions=False)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [len(each["songs"]) for each in answers] == [count] * 7
    found = recommender()
    for own, told in zip(lists, answers, strict=True):
        alone = found.for_likes(own, 23)
        assert [one["song"] for one in told["songs"]] == [one.song for one in alone.songs]
        assert len(told["left_out"]) == bool(own)
        assert told["known_by"] == ("songs" if own else "popularity")
    lines = "\n".join([songs[0], f"  {songs[3].upper()}", "unknown"])
    done = CliRunner().invoke(app, ["recommend", "--file", "-", "--k", "23", "--json"], input=lines)
    alone = json.loads(done.stdout)
    assert [one["song"] for one in alone["songs"]] == [one["song"] for one in answers[0]["songs"]]
    assert "'unknown' is not known and left out" in done.stderr


def test_each_of_several_lists_has_a_heading_and_one_alone_has_none(here: Path) -> None:
    from winnow.domains.sessions.cli import app  # noqa: PLC0415

    songs = table("label/songs.parquet")["song"]
    for several, headings in (([[songs[0]], [songs[3]]], 2), ([[songs[0]]], 0)):
        command = ["recommend", "--file", "-", "--k", "3"]
        done = CliRunner().invoke(app, command, input=json.dumps(several), catch_exceptions=False)
        lines = done.stdout.splitlines()
        assert sum(line == "list:" for line in lines) == headings, lines
        assert len(lines) == 3 * len(several) + headings


def test_other_listeners_are_judged(here: Path) -> None:
    from winnow.domains.sessions.source.events import read  # noqa: PLC0415

    found = recommender()
    plays = table("ingest/plays.parquet")
    some = plays[plays["user"].isin(sorted(plays["user"].unique())[:20])]
    rows = [f"{row.user},{row.song},{row.timestamp}," for row in some.itertuples()]

    def listening(rows: list[str]) -> Listening:
        source(rows)
        return read(Path("data/source/sessions/mine.csv"), Events.model_validate(LOG))

    new = [*(f"new{row}" for row in rows), "newone,unheard,5,"]
    other = listening(new)
    judged = found.judge(other, np.random.default_rng(0))
    assert judged["users_judged"] == 20
    assert judged["songs_unknown"] == 1
    assert judged["songs_known"] == some["song"].isin(found.songs["song"]).groupby(some["song"]).first().sum()
    assert judged["model"]["recall_at_10"] > judged["popularity"]["recall_at_10"]
    (rival,) = {"graph_filter", "item_knn"} & judged.keys()
    assert (rival == "graph_filter") == (found.blend is not None and isinstance(found.blend.filter, GraphFilter))
    assert judged["popularity"]["recall_at_10"] < judged[rival]["recall_at_10"]
    apart = judged["model"]["recall_at_10"] - judged[rival]["recall_at_10"]
    bounds = judged["difference"]["recall_at_10"][rival]
    assert bounds["low"] <= apart <= bounds["high"]
    assert {"mrr_score", "novelty_score", "ndcg_at_20"} <= set(judged["model"]), "the domain's own metrics"
    assert judged == found.judge(other, np.random.default_rng(0))
    assert judged != found.judge(other, np.random.default_rng(1)), "which songs are hidden is drawn"
    titles = found.songs.set_index("song")["title"]
    typed = [
        f"new{row.user},{str(titles.get(row.song, row.song)).upper()},{row.timestamp}," for row in some.itertuples()
    ]
    by_title = found.judge(listening(typed), np.random.default_rng(0))
    assert by_title["songs_unknown"] == 0, "titles, as recommend takes"
    twice = [f"twice,{name},{time}," for time, name in enumerate((titles.iloc[0].upper(), titles.iloc[0].lower()))]
    assert found.judge(listening([*typed, *twice]), np.random.default_rng(0)) == by_title, "one song, typed twice"
    some_id = found.songs["song"].iloc[0]
    one = found.judge(listening([*typed, f"newtwo,{some_id},9,"]), np.random.default_rng(0))
    assert one["users_judged"] == 20, "a title that is the id of a song makes the others no ids"
    found.songs.loc[0, "title"] = "1999"
    del found.index  # which was made before
    numbered = found.judge(listening([*new, "newone,1999,7,"]), np.random.default_rng(0))
    assert numbered["songs_unknown"] == judged["songs_unknown"] + 1, "an id that is not known is no title"
    both = found.judge(listening([*new, *rows]), np.random.default_rng(0))
    assert both["users_trained_on"] == 20
    assert both | {"users_trained_on": 0} == judged, "users of the training data are not judged"


def test_of_several_songs_of_a_title_the_one_of_most_users_is_meant(here: Path) -> None:
    found = recommender()
    counts = found.graph.popularity
    few = int((counts.diff() > 0).nonzero()[0, 0])
    for first, second in ((few, few + 1), (int(counts.argmax()), int(counts.argmin()))):
        found = recommender()
        found.songs.loc[[first, second], "title"] = "one of two"
        meant = max((first, second), key=lambda number: int(counts[number]))
        assert found.index.find(Wanted("one of two")).number == meant


def test_the_rival_of_a_network_alone_is_item_knn(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By dense cosines: there are fewer songs than the 200 neighbours of each."""
    from winnow.domains.sessions.source.events import read  # noqa: PLC0415

    found, seen = recommender(), []
    found.blend = None
    metrics = found._metrics
    monkeypatch.setattr(found, "_metrics", lambda *given: seen.extend(given[:2]) or metrics(*given))
    songs, rng = found.songs["song"], np.random.default_rng(0)
    source([f"new{user},{song},," for user in range(30) for song in rng.choice(songs, 12, replace=False)])
    log = Path("data/source/sessions/mine.csv")
    judged = found.judge(read(log, Events.model_validate(LOG | {"timestamp": None})), rng)
    train, hidden, known = (np.zeros((rows, len(songs))) for rows in (found.graph.users, 30, 30))
    train[found.graph.user, found.graph.item] = 1
    for matrix, rows in ((hidden, seen[0]), (known, seen[1])):
        matrix[rows["user_index"], rows["song_index"]] = 1
    together = train.T @ train
    cosines = together / (np.sqrt(np.outer(np.diag(together), np.diag(together))) + 20)
    np.fill_diagonal(cosines, 0)
    order = np.argsort(-np.where(known > 0, -np.inf, known @ cosines), axis=1, kind="stable")
    first = np.take_along_axis(hidden, order, axis=1).argmax(axis=1) + 1
    assert judged["item_knn"]["mrr_score"] == pytest.approx((1 / first).mean(), rel=1e-3)


def test_a_fifth_of_each_user_s_songs_is_hidden_and_one_at_least(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from winnow.domains.sessions.source.events import read  # noqa: PLC0415

    songs, sizes = table("label/songs.parquet")["song"], (2, 7, 8, 30)
    source([f"new{user},{song},," for user, size in enumerate(sizes) for song in songs[:size]])
    found, seen = recommender(), []
    monkeypatch.setattr(found, "_metrics", lambda hidden, known, _users: seen.extend((hidden, known)) or {})
    log = Path("data/source/sessions/mine.csv")
    found.judge(read(log, Events.model_validate(LOG | {"timestamp": None})), np.random.default_rng(0))
    hidden, known = (each.groupby("user")["song"].agg(set) for each in seen)
    assert hidden.map(len).tolist() == [1, 1, 2, 6]
    assert [len(one | other) for one, other in zip(hidden, known, strict=True)] == [*sizes]


def test_the_seed_that_is_named_draws_the_hidden_songs(here: Path) -> None:
    from winnow.domains.sessions.cli import app  # noqa: PLC0415
    from winnow.domains.sessions.source.events import read  # noqa: PLC0415

    songs = table("label/songs.parquet")["song"]
    source([f"new{user},{songs[(7 * user + 3 * place) % len(songs)]},," for user in range(8) for place in range(20)])
    log = Path("data/source/sessions/mine.csv")
    listening, found = read(log, Events.model_validate(LOG | {"timestamp": None})), recommender()
    expected = [found.judge(listening, np.random.default_rng(seed))["model"] for seed in (0, 3)]
    assert expected[0] != expected[1]
    for seed, model in zip(("0", "3"), expected, strict=True):
        command = ["evaluate", str(log), "--item-column", "song", "--seed", seed, "--json"]
        assert json.loads(CliRunner().invoke(app, command, catch_exceptions=False).stdout)["model"] == model


@pytest.mark.parametrize("path", [".", "nothing.csv"])
def test_what_is_no_file_is_told(path: str) -> None:
    from winnow.domains.sessions.cli import app  # noqa: PLC0415

    with pytest.raises(WinnowError, match=f"{re.escape(path)} is no file"):
        CliRunner().invoke(app, ["evaluate", path], catch_exceptions=False)


def test_a_file_without_a_user_to_judge_is_named(here: Path) -> None:
    from winnow.domains.sessions.cli import app  # noqa: PLC0415

    Path("others.csv").write_text("who,what,at\nnew1,nothing,1\nnew1,nowhere,2\n")
    columns = ["--user-column", "who", "--item-column", "what", "--timestamp-column", "at"]
    refused = CliRunner().invoke(app, ["evaluate", "others.csv", *columns]).exception
    assert isinstance(refused, WinnowError)
    assert "no new user with two known songs" in refused.what
    assert refused.where == "others.csv"


def test_other_listeners_plays_count_as_the_training_data_s_do(here: Path) -> None:
    """Skipped and short plays, repeats and bots are no songs to be found, as the model's own rules say."""
    from winnow.domains.sessions.cli import app  # noqa: PLC0415

    songs = table("label/songs.parquet")["song"][:12].tolist()
    rows = [f"new{user},{song},{1000 * place},false,0.9" for user in range(6) for place, song in enumerate(songs[:5])]
    known = [f"new{user},{song},,{skip},{share}" for user in range(6) for song, skip, share in (
        (songs[6], "true", 0.9), (songs[7], "false", 0.01),
    )]  # fmt: skip
    bot = [f"bot,{songs[number % 12]},{number},false,1" for number in range(1001)]

    def judged(lines: list[str]) -> dict[str, Any]:
        Path("log.csv").write_text("who,what,at,skip,heard\n" + "\n".join(lines) + "\n")
        columns = {"user": "who", "item": "what", "timestamp": "at", "skipped": "skip", "share": "heard"}
        options = [word for name, column in columns.items() for word in (f"--{name}-column", column)]
        done = CliRunner().invoke(app, ["evaluate", "log.csv", "--json", *options], catch_exceptions=False)
        assert done.exit_code == 0
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    alone, mixed = judged(rows), judged([*rows, *known, *bot])
    Path("bare.csv").write_text("\n".join(rows) + "\n")
    places = [word for place, name in enumerate(("user", "item", "timestamp", "skipped", "share"))
              for word in (f"--{name}-column", str(place))]  # fmt: skip
    done = CliRunner().invoke(app, ["evaluate", "bare.csv", "--json", "--no-header", *places], catch_exceptions=False)
    assert json.loads(done.stdout) == alone, "columns by their places, without a header"
    Path("log.csv").write_text("who,what,plays\n" + "".join(f"new,{song},3.5\n" for song in songs))
    columns = ["--user-column", "who", "--item-column", "what", "--plays-column", "plays"]
    done = CliRunner().invoke(app, ["evaluate", "log.csv", *columns])
    assert isinstance(done.exception, WinnowError)
    assert "12 rows left out (row 2: the number in 'plays' is no whole number" in done.stderr
    assert mixed["plays_dropped"] == len(known) + len(bot)
    assert mixed | {"plays_dropped": 0} == alone
