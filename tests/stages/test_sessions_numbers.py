"""What evaluate writes of sessions, computed again from the split and the model's parameters with dense matrices."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn.metrics.pairwise import cosine_distances

from stages.sessions import evaluate
from tests.stages.conftest import Finished, torch_restored
from tests.stages.sessions_world import FILTER, SESSIONS, Lists, World, baseline_scores, table
from winnow.domains.sessions.evaluation import lists as ranked_lists
from winnow.domains.sessions.inference import Recommender
from winnow.domains.sessions.model.training import training_data
from winnow.learn.folder import model_folder
from winnow.recommend.tables import Checks

CUTOFFS = (5, 10, 20)
CHANGES: dict[str, dict[str, Any]] = {
    "split": {"cold_ratio": 0.2, "cold_given": 15},
    "weight": {"interactions": "confidence"},
    "train": {"epochs": 6, "network": FILTER},
    "evaluate": {
        "explanation_checks": 20,
        "baselines": {
            "knn_neighbours": [10, 40],
            "knn_shrink": [0.0, 10.0],
            "lightgcn_dims": [16],
            "lightgcn_epochs": 60,
        },
        "bootstrap": {"resamples": 2000},
    },
}
FEW_BASELINES = {"baselines": {"lightgcn_dims": [], "als_iterations": 1}}
pytestmark = pytest.mark.parametrize("finished", ["sessions"], indirect=True)


def run(*names: str, **changes: Any) -> None:
    """Run stages here."""
    with torch_restored():
        for name in names:
            SESSIONS.run(name, **CHANGES.get(name, {}) | changes)


@pytest.fixture(scope="module")
def judged(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, the working folder, with many cold-start users and a model evaluated beside larger grids."""
    folder = tmp_path_factory.mktemp("judged")
    shutil.copytree(finished.folder, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("split", "weight", "train", "evaluate")
        yield folder


@pytest.fixture(scope="module")
def world(judged: Path) -> World:
    return World()


@pytest.fixture(scope="module")
def judgement(judged: Path) -> dict[str, Any]:
    return SESSIONS.metrics("judgement")


def rows_of(recommender: str, *, cold: bool) -> pd.DataFrame:
    ranked = table("evaluate/ranked.parquet")
    chosen = ranked[(ranked["recommender"] == recommender) & (ranked["cold"] == cold)]
    return chosen.sort_values("user_index").reset_index(drop=True)


def test_the_filter_s_weight_is_the_best_on_validation(world: World, judgement: dict[str, Any]) -> None:
    alone, rest = world.model.scores(world.train, world.type_numbers), world.filtered(world.train)
    chosen = judgement["filter_weight"]
    assert chosen > 0, "or the filter is not tested"
    recalls = {
        weight: world.validation(alone + weight / chosen * rest).recall(10).mean() for weight in FILTER["filter_weight"]
    }
    assert recalls[chosen] == pytest.approx(max(recalls.values()), abs=1e-6)
    assert recalls[chosen] > recalls[0.0]
    network = world.lists(scores=alone)
    for k in CUTOFFS:
        assert judgement["reference"]["network"][f"recall_at_{k}"] == pytest.approx(network.recall(k).mean(), rel=1e-4)


@pytest.mark.parametrize("learned", [["train"], ["train", "val"]])
def test_graphs_and_masks_hold_what_they_say(world: World, learned: list[str]) -> None:
    """By which songs users are known, which are to be found, and which are never ranked, part by part."""
    users = table("label/users.parquet").merge(table("split/user_types.parquet"), on="user_index")
    found = evaluate.make_evaluation(world.splits, users, world.shape[1], learned)
    none = np.zeros(world.shape)
    expected = {
        "tuning": (world.train, world.side("val"), world.train),
        "warm": (world.side(*learned), world.side("test"), world.side("train", "val")),
        "cold": (world.side("cold_given"), world.side("cold_target"), world.side("cold_given")),
        "fit": (world.side(*learned), world.side(*learned), none),
        "val": (world.side(*learned), world.side("val"), world.train),
    }
    for name, (graph, hidden, known) in expected.items():
        held = getattr(found, name)
        edges = none.copy()
        edges[held.graph.user, held.graph.item] = 1
        assert (edges == graph).all(), name
        assert held.users.tolist() == np.flatnonzero(hidden.any(axis=1)).tolist(), name
        for rows, matrix in ((held.hidden, hidden), (held.known, known)):
            assert [row.tolist() for row in rows] == [np.flatnonzero(own).tolist() for own in matrix[held.users]], name
        counted = world.train if name == "tuning" else world.side(*learned)
        assert (held.graph.popularity.numpy() == counted.sum(axis=0)).all(), "the cold graph counts no cold listener"


@pytest.mark.parametrize("mode", ["simple", "advanced"])
def test_training_learns_from_its_sides_and_validates_without_them(world: World, mode: str) -> None:
    params = SESSIONS.section("train").model_copy(update={"mode": mode, "validation_users": 30})
    tables = table("split/user_types.parquet"), world.shape[1], table("weight/interactions.parquet")
    data = training_data(*tables, params)
    edges = np.zeros(world.shape)
    edges[data.graph.user, data.graph.item] = 1
    assert (edges == world.side(*(["train", "val"] if mode == "simple" else ["train"]))).all()
    users = world.users("val")
    assert data.val.users.tolist() == users[:: -(-len(users) // 30)], "30 at most, spread evenly"
    for user, hidden, known in zip(data.val.users, data.val.hidden, data.val.known, strict=True):
        assert hidden.tolist() == np.flatnonzero(world.side("val")[user]).tolist()
        assert known.tolist() == np.flatnonzero(world.train[user]).tolist()


@pytest.mark.parametrize("cold", [False, True])
def test_every_user_s_figures_are_those_of_dense_scores(world: World, *, cold: bool) -> None:
    """The graph has training edges only (of cold users their given songs), and known songs are not ranked."""
    found, lists = rows_of("model", cold=cold), world.lists(cold=cold)
    assert found["user_index"].tolist() == lists.users
    for k in CUTOFFS:
        np.testing.assert_allclose(found[f"recall_at_{k}"], lists.recall(k), atol=1e-6)
        np.testing.assert_allclose(found[f"ndcg_at_{k}"], lists.ndcg(k), atol=1e-6)
    np.testing.assert_allclose(found["reciprocal_rank"], lists.reciprocal(), atol=1e-6)
    assert (found["held_out"] == lists.hidden[lists.users].sum(axis=1)).all()
    assert found["user_type"].tolist() == world.types[lists.users].tolist()
    history = (world.side("cold_given") if cold else world.train)[lists.users].sum(axis=1)
    bins = pd.cut(history, [0, 5, 10, 20, 50, np.inf], labels=["1-5", "6-10", "11-20", "21-50", "51+"])
    assert found["history"].tolist() == list(bins)


@pytest.mark.parametrize("cold", [False, True])
def test_the_network_alone_is_judged_without_the_filter(world: World, *, cold: bool) -> None:
    scores = world.model.scores(world.side("cold_given") if cold else world.train, world.type_numbers)
    found, lists = rows_of("network", cold=cold), world.lists(cold=cold, scores=scores)
    assert found["user_index"].tolist() == lists.users
    np.testing.assert_allclose(found["ndcg_at_20"], lists.ndcg(20), atol=1e-6)
    assert not np.allclose(found["ndcg_at_20"], rows_of("model", cold=cold)["ndcg_at_20"]), "the filter does something"


@pytest.mark.parametrize("cold", [False, True])
def test_novelty_and_diversity_are_those_of_the_first_ten(world: World, *, cold: bool) -> None:
    found, lists = rows_of("model", cold=cold), world.lists(cold=cold)
    listeners = world.train.sum(axis=0) + 1
    bits = -np.log2(listeners / listeners.sum())
    for row, own in enumerate(lists.order[:, :10]):
        assert found["novelty"][row] == pytest.approx(bits[own].mean(), rel=1e-5)
        apart = cosine_distances(world.genres.to_numpy()[own])[np.triu_indices(10, 1)]
        assert found["diversity"][row] == pytest.approx(apart.mean(), abs=1e-5)


@pytest.mark.parametrize("name", ["popularity", "item_knn", "ease"])
@pytest.mark.parametrize("cold", [False, True])
def test_baselines_are_fitted_to_the_training_songs(
    world: World, judgement: dict[str, Any], name: str, *, cold: bool
) -> None:
    known = world.side("cold_given") if cold else world.train
    lists = world.lists(cold=cold, scores=baseline_scores(world, name, known, judgement["baseline_settings"][name]))
    found = rows_of(name, cold=cold)
    assert found["user_index"].tolist() == lists.users
    apart = np.abs(found["recall_at_20"] - lists.recall(20))
    assert (apart < 1e-6).mean() > 0.9, "equal scores may fall in another order"
    assert found["recall_at_10"].mean() == pytest.approx(lists.recall(10).mean(), abs=0.01)


def test_baselines_are_tuned_on_validation(world: World, judgement: dict[str, Any]) -> None:
    settings = SESSIONS.section("evaluate", **CHANGES["evaluate"]).baselines
    grids = {
        "popularity": [{}],
        "item_knn": [
            {"neighbours": count, "shrink": shrink, "asymmetry": asymmetry, "user_exponent": exponent}
            for count in settings.knn_neighbours
            for shrink in settings.knn_shrink
            for asymmetry in settings.knn_asymmetry
            for exponent in settings.knn_user_exponents
        ],
        "ease": [{"l2": l2} for l2 in settings.ease_l2],
    }
    for name, grid in grids.items():
        recalls = [world.validation(baseline_scores(world, name, world.train, each)).recall(10).mean() for each in grid]
        chosen = judgement["baseline_settings"][name]
        assert chosen["val_recall_at_10"] == pytest.approx(max(recalls), abs=0.005)
        mine = next(place for place, each in enumerate(grid) if each.items() <= chosen.items())
        assert recalls[mine] == pytest.approx(max(recalls), abs=0.005)


def test_tuning_gets_the_validation_songs_and_no_others(
    world: World, judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of LightGCN, whose epoch is chosen too, as of the grids."""
    copy_of(judged, tmp_path, monkeypatch)
    seen = []

    def grids(settings: Any, **options: Any) -> Any:
        seen.append(options["val"])
        return real_grids(settings, **options)

    def tune(grid: Any, train: Any, val: Any, **options: Any) -> Any:
        seen.append(val)
        assert (train.toarray() == world.train).all()
        return real_tune(grid, train, val, **options)

    real_grids, real_tune = ranked_lists.baseline_grids, ranked_lists.tune
    monkeypatch.setattr(ranked_lists, "baseline_grids", grids)
    monkeypatch.setattr(ranked_lists, "tune", tune)
    run("evaluate", **FEW_BASELINES)
    assert len(seen) == 6
    for held in seen:
        assert held.users.tolist() == world.users("val")
        for user, hidden, known in zip(held.users, held.hidden, held.known, strict=True):
            assert hidden.tolist() == np.flatnonzero(world.side("val")[user]).tolist()
            assert known.tolist() == np.flatnonzero(world.train[user]).tolist()
        assert held.graph.item.tolist() == np.nonzero(world.train)[1].tolist()


def test_the_judgement_is_the_mean_of_the_stored_rows(world: World, judgement: dict[str, Any]) -> None:
    columns = [f"{name}_at_{k}" for name in ("recall", "ndcg") for k in CUTOFFS]
    names = {name: name for name in columns} | {
        "reciprocal_rank": "mrr_score", "novelty": "novelty_score", "diversity": "diversity_score"
    }  # fmt: skip
    figures = {"model": judgement["model"], **judgement["baseline"]}
    for recommender, metrics in figures.items():
        for prefix in ("", "cold_"):
            rows = rows_of(recommender, cold=bool(prefix))
            for column, metric in names.items():
                assert metrics[f"{prefix}{metric}"] == pytest.approx(rows[column].mean(), rel=1e-5), metric
    slices = table("evaluate/slices.parquet")
    trained = rows_of("model", cold=False)
    both = pd.concat([trained, rows_of("model", cold=True)])
    for by, column, rows in (
        ("user_type",) * 2 + (trained,),
        ("history",) * 2 + (trained,),
        ("cold_start", "cold", both),
    ):
        for metric in ("recall_at_10", "ndcg_at_10"):
            mine = slices[(slices["by"] == by) & (slices["metric"] == metric)].set_index("value")["score"]
            means = rows.groupby(column)[metric].mean().rename({True: "cold-start", False: "known"})
            assert mine.to_dict() == pytest.approx(means.to_dict())


def test_coverage_and_exposure_are_those_of_the_listed_songs(world: World, judgement: dict[str, Any]) -> None:
    listed = world.lists().order[:, :10]
    assert judgement["model"]["coverage_score"] == pytest.approx(len(set(listed.ravel())) / world.shape[1], rel=1e-5)
    decile = pd.Series(world.train.sum(axis=0)).rank(method="first").sub(1) * 10 // world.shape[1] + 1
    shares = pd.Series(decile[listed.ravel()]).value_counts(normalize=True).reindex(range(1, 11), fill_value=0)
    found = table("evaluate/exposure.parquet")
    mine = found[found["recommender"] == "model"].set_index("decile")["share"]
    assert mine.to_dict() == pytest.approx(shares.to_dict())
    assert set(found["recommender"]) == {"model", *judgement["baseline"], *judgement["reference"]}


def test_train_and_validation_are_ranked_as_they_are_said_to_be(world: World, judgement: dict[str, Any]) -> None:
    scores = world.scores(world.train, world.type_numbers)
    learned = Lists(scores, world.users("train"), np.zeros(world.shape), world.train)
    for prefix, lists in (("train", learned), ("val", world.validation(scores))):
        for k in CUTOFFS:
            assert judgement["model"][f"{prefix}_recall_at_{k}"] == pytest.approx(lists.recall(k).mean(), rel=1e-4)
            assert judgement["model"][f"{prefix}_ndcg_at_{k}"] == pytest.approx(lists.ndcg(k).mean(), rel=1e-4)


def test_the_truth_scores_by_the_chance_of_a_play(world: World, judgement: dict[str, Any]) -> None:
    users, songs = table("label/users.parquet")["user"], table("label/songs.parquet")["song"]
    tastes = table("ingest/tastes.parquet").pivot_table("probability", "user", "scene", fill_value=0)
    scenes = table("ingest/scenes.parquet").pivot_table("probability", "scene", "song", fill_value=0)
    chance = tastes.loc[users] @ scenes.reindex(tastes.columns, fill_value=0)[songs]
    lists = world.lists(scores=chance.to_numpy())
    for k in CUTOFFS:
        assert judgement["reference"]["truth"][f"recall_at_{k}"] == pytest.approx(lists.recall(k).mean(), rel=1e-3)
        assert judgement["reference"]["truth"][f"ndcg_at_{k}"] == pytest.approx(lists.ndcg(k).mean(), rel=1e-3)


def test_intervals_and_paired_differences_agree_with_theory(judgement: dict[str, Any]) -> None:
    confidence = SESSIONS.section("evaluate").bootstrap.confidence
    for prefix in ("", "cold_"):
        own = rows_of("model", cold=bool(prefix))
        values = {"recall_at_10": own["recall_at_10"], "ndcg_at_20": own["ndcg_at_20"]}
        samples = [(judgement["interval"][f"{prefix}{name}"], each) for name, each in values.items()]
        for name in judgement["baseline"]:
            other = rows_of(name, cold=bool(prefix))
            assert other["user_index"].tolist() == own["user_index"].tolist()
            paired = judgement["difference"][f"{prefix}recall_at_10"][name]
            samples.append((paired, own["recall_at_10"] - other["recall_at_10"]))
        for found, sample in samples:
            half = stats.norm.ppf((1 + confidence) / 2) * sample.std(ddof=0) / np.sqrt(len(sample))
            tolerance = 0.35 * half + 1e-6
            assert found["low"] == pytest.approx(sample.mean() - half, abs=tolerance)
            assert found["high"] == pytest.approx(sample.mean() + half, abs=tolerance)


def test_lightgcn_finds_at_least_twice_what_popularity_does(judgement: dict[str, Any]) -> None:
    baseline = judgement["baseline"]
    for metric in ("recall_at_10", "cold_recall_at_10"):
        assert baseline["lightgcn"][metric] >= 2 * baseline["popularity"][metric]


def test_reasons_are_by_how_much_the_score_falls(world: World) -> None:
    """Without the song, its attention going to the user's others; without the genre's part of the recommended song."""
    dense = world.model
    users = table("label/users.parquet").set_index("user")["user_index"]
    songs = table("label/songs.parquet").set_index("song")["song_index"]
    titles = table("label/songs.parquet").set_index("title")["song_index"]
    genres = table("split/genres.parquet").drop_duplicates("genre").set_index("genre")["genre_index"]
    vectors, scores = dense.users(world.train, world.type_numbers), world.scores(world.train, world.type_numbers)
    tests = world.side("test")
    reasons = table("evaluate/reasons.parquet")
    assert {"song", "genre"} == set(reasons["kind"])
    for row in reasons.itertuples():
        user, song = users[row.user], songs[row.song]
        assert row.score == pytest.approx(scores[user, song], rel=1e-3, abs=1e-4)
        assert row.found == (tests[user, song] == 1)
        if row.kind == "song":
            known = world.train[[user]].copy()
            known[0, titles[row.reason]] = 0
            (without,) = dense.users(known, world.type_numbers[[user]])
            effect = (vectors[user] - without) @ dense.songs[song]
            effect += (world.filtered(world.train[[user]]) - world.filtered(known))[0, song]
        else:
            genre = genres[row.reason]
            share = dense.state["genre_share"][song, genre]
            effect = vectors[user] @ dense.state["genre"][genre] * share * dense.genre_weight
        assert row.effect == pytest.approx(effect, rel=1e-3, abs=1e-4)


def test_what_is_recommended_has_the_scores_of_dense_matrices(world: World) -> None:
    """Known users by all their songs and their type, cold-start users and strangers without a type."""
    found = Recommender(model_folder("sessions"), torch.device("cpu"))
    users, songs = table("label/users.parquet")["user"], table("label/songs.parquet")["song"]
    liked = [3, 40, 77]
    stranger = np.zeros((1, world.shape[1]))
    stranger[0, liked] = 1
    known = np.vstack([world.side("train", "val", "cold_given"), stranger])
    types = np.append(world.type_numbers, -1)
    scores = np.where(known > 0, -np.inf, world.scores(known, types))
    asked = {
        user: found.for_user(users[user], 10).songs for user in world.users("test")[:4] + world.users("cold_target")[:2]
    }
    assert len(set(types[list(asked)])) > 1, "or the types are not tested"
    asked[-1] = found.for_likes(songs[liked].tolist(), 10).songs
    numbers = dict(zip(songs, songs.index, strict=True))
    for user, told in asked.items():
        own = scores[user]
        assert [own[numbers[one.song]] for one in told] == pytest.approx(np.sort(own)[::-1][:10], rel=1e-4)
        assert [one.score for one in told] == pytest.approx(np.sort(own)[::-1][:10], rel=1e-4)


def test_explanation_accuracy_counts_what_held(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judgement: dict[str, Any]
) -> None:
    kinds = [judgement["explanations"][kind] for kind in ("song", "genre")]
    assert sum(kind["checked"] for kind in kinds) == 20
    held = sum(kind["held"] for kind in kinds)
    assert judgement["model"]["explanation_accuracy"] == pytest.approx(held / 20)
    assert judgement["explanations"]["most_attention"]["checked"] == 20
    copy_of(judged, tmp_path, monkeypatch)
    falls = [("song", 3.0, 1.0)] * 3 + [("song", 1.0, 2.0)] * 2 + [("genre", 0.5, 0.5)] * 3
    checks = pd.DataFrame(
        [(user, 0, *fall) for user, fall in enumerate(falls)], columns=list(Checks.to_schema().columns)
    ).astype({"kind": "str"})
    monkeypatch.setattr(evaluate, "check_first_reasons", lambda *more: checks[:1] if len(more) > 3 else checks)
    run("evaluate", **FEW_BASELINES)
    found = SESSIONS.metrics("judgement")
    assert found["explanations"] == {
        "song": {"checked": 5, "held": 3, "fall": 2.2, "other": 1.4},
        "genre": {"checked": 3, "held": 0, "fall": 0.5, "other": 0.5},
        "most_attention": {"checked": 1, "held": 1, "fall": 3.0, "other": 1.0},
    }
    assert found["model"]["explanation_accuracy"] == 3 / 8
    low, high = stats.binomtest(3, 8).proportion_ci(0.95, method="wilson")
    assert found["interval"]["explanation_accuracy"] == pytest.approx({"low": low, "high": high}, rel=1e-4)


def test_users_without_training_plays_have_no_type(world: World) -> None:
    plays = table("label/interactions.parquet").merge(world.splits, on=["user_index", "song_index"])
    known = plays[plays["split"] == "train"].groupby("user_index")["plays"].sum()
    bounds = [-1, known.quantile(0.5), known.quantile(0.85), np.inf]
    expected = pd.cut(known, bounds, labels=["casual", "regular", "power"])
    assert world.types[known.index].tolist() == expected.tolist()
    assert set(world.types[world.users("cold_target")]) == {"unknown"}


def test_weights_count_training_plays_only(world: World) -> None:
    sampling = table("weight/sampling.parquet")
    assert sampling["listeners"].tolist() == world.train.sum(axis=0).tolist()
    chance = np.where(world.train.sum(axis=0) > 0, world.train.sum(axis=0) ** 0.75, 0)
    np.testing.assert_allclose(sampling["probability"], chance / chance.sum())
    plays = table("label/interactions.parquet").set_index(["user_index", "song_index"])["confidence"]
    weights = table("weight/interactions.parquet").set_index(["user_index", "song_index"])
    mean = plays[weights[weights["split"] == "train"].index].mean()
    assert weights["weight"].to_numpy() == pytest.approx(plays[weights.index].to_numpy() / mean)
    sides = world.splits.set_index(["user_index", "song_index"])["split"]
    assert (sides[sides.isin(["train", "val"])].sort_index() == weights["split"].sort_index()).all()


def copy_of(folder: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of a folder, as the working folder."""
    shutil.copytree(folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(target)


def test_chances_agree_with_the_validation_songs_that_are_found(world: World) -> None:
    """A logistic function fitted by maximum likelihood expects as many hits as there are, and their mean score."""
    chances = Recommender(model_folder("sessions"), torch.device("cpu")).chances
    assert chances is not None
    scores = world.scores(world.train, world.type_numbers)
    lists = world.validation(scores)
    listed = np.sort(np.where(world.train > 0, -np.inf, scores)[lists.users], axis=1)[:, ::-1][:, :100]
    hits = np.take_along_axis(world.side("val")[lists.users], lists.order[:, :100], axis=1)
    inside = np.isfinite(listed)
    expected = chances.of(listed[inside])
    assert expected.sum() == pytest.approx(hits[inside].sum(), rel=0.02)
    assert expected @ listed[inside] == pytest.approx(hits[inside] @ listed[inside], rel=0.03)
