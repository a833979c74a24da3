"""What evaluate writes of playlists, computed again from the split and the model's parameters with dense matrices."""

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.sparse import csr_matrix
from sklearn.metrics import ndcg_score

from stages.playlists import evaluate
from tests.stages.conftest import Finished, torch_restored
from tests.stages.playlists_world import PLAYLISTS, Matrix, World, table
from tests.stages.programs import params
from winnow.domains.playlists.evaluation import baselines as tuned_baselines
from winnow.domains.playlists.model.explanations import track_names
from winnow.pipeline.seeds import derive_seed
from winnow.recommend.baselines import fit_als
from winnow.recommend.filters import fit_graph_filter
from winnow.recommend.tables import Checks
from winnow.recommend.words import fit_words

CUTOFFS = (10, 50, 100)
CHANGES: dict[str, dict[str, Any]] = {
    "ingest": {"synthetic": {"playlists": 150, "tracks": 400}},
    "train": {"blend": {"weights": [0.0, 0.5, 4.0]}},
    "evaluate": {"explanation_checks": 20, "bootstrap": {"resamples": 2000}},
}
pytestmark = pytest.mark.parametrize("finished", ["playlists"], indirect=True)


@pytest.fixture(scope="module")
def judged(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, the working folder, with more playlists."""
    folder = tmp_path_factory.mktemp("judged")
    with pytest.MonkeyPatch.context() as patch, torch_restored():
        patch.chdir(folder)
        for name in ("ingest", "filter", "label", "split", "weight", "train", "evaluate"):
            PLAYLISTS.run(name, **CHANGES.get(name, {}))
        yield folder


@pytest.fixture(scope="module")
def world(judged: Path) -> World:
    return World()


@pytest.fixture(scope="module")
def judgement(judged: Path) -> dict[str, Any]:
    return PLAYLISTS.metrics("judgement")


def rows_of(recommender: str) -> pd.DataFrame:
    ranked = table("evaluate/ranked.parquet")
    return ranked[ranked["recommender"] == recommender].reset_index(drop=True)


@pytest.mark.parametrize(("name", "blended"), [("model", True), ("network", False)])
def test_every_playlist_s_figures_are_those_of_dense_scores(world: World, name: str, *, blended: bool) -> None:
    """Known by the tracks before the test, with a graph of training tracks only."""
    assert world.settings["blend"], "the blend was chosen, or the test shows nothing of it"
    found, lists = rows_of(name), world.tests(world.scores("train", "val", blended=blended))
    assert found["playlist_index"].tolist() == lists.users
    hidden, hits = lists.hidden[lists.users], lists.hits()
    for k in CUTOFFS:
        np.testing.assert_allclose(found[f"recall_at_{k}"], lists.recall(k), atol=1e-6)
    for row in range(0, len(found), 7):
        ideal = np.arange(hits.shape[1], 0, -1)[None]
        assert found["ndcg_at_50"][row] == pytest.approx(ndcg_score(hits[[row]], ideal, k=50), abs=1e-6)
    count = hidden.sum(axis=1).astype(int)
    precision = [hits[row, :own].sum() / own for row, own in enumerate(count)]
    np.testing.assert_allclose(found["r_precision"], precision, atol=1e-6)
    first = hits.argmax(axis=1)
    np.testing.assert_allclose(found["clicks"], np.where(hits.any(axis=1) & (first < 500), first // 10, 51))
    ranked = np.where(lists.known > 0, -np.inf, lists.scores)[lists.users]
    best = np.where(hidden > 0, ranked, -np.inf).max(axis=1, keepdims=True)
    equal = np.abs(ranked - best) <= 1e-6  # such as an artist's tracks without edges: they go by their numbers
    first_found = (equal & (hidden > 0)).argmax(axis=1)
    before = np.arange(ranked.shape[1]) < first_found[:, None]
    ahead = ((ranked > best + 1e-6) | (equal & before)).sum(axis=1)
    np.testing.assert_allclose(found["reciprocal_rank"], 1 / (1 + ahead), atol=1e-6)
    assert (found["held_out"] == count).all()


def test_tracks_seen_in_training_are_counted_apart(world: World) -> None:
    found, lists = rows_of("model"), world.tests(world.scores("train", "val"))
    seen = world.counts > 0
    hidden = lists.hidden[lists.users] * seen
    assert (found["held_out_seen"] == hidden.sum(axis=1)).all()
    assert (found["held_out_seen"] < found["held_out"]).any()
    hits = np.take_along_axis(hidden, lists.order, axis=1)
    for k in CUTOFFS:
        with np.errstate(invalid="ignore"):
            expected = hits[:, :k].sum(axis=1) / hidden.sum(axis=1)
        np.testing.assert_allclose(found[f"seen_recall_at_{k}"], expected, atol=1e-6)


def test_artists_of_a_list_novelty_coverage_and_exposure(world: World, judgement: dict[str, Any]) -> None:
    listed = world.tests(world.scores("train", "val")).order[:, :10]
    found = rows_of("model")
    artist = world.tracks["artist_index"].to_numpy()
    bits = -np.log2((world.counts + 1) / (world.counts + 1).sum())
    for row, own in enumerate(listed):
        assert found["diversity"][row] == pytest.approx(len(set(artist[own])) / 10)
        assert found["novelty"][row] == pytest.approx(bits[own].mean(), rel=1e-5)
    decile = pd.Series(world.counts).rank(method="first").sub(1) * 10 // world.shape[1] + 1
    popular = world.tests(baseline_scores(world, "popularity", {}, "train", "val")).order[:, :10]
    for name, lists in (("model", listed), ("popularity", popular)):
        figures = judgement["baseline"].get(name, judgement["model"])
        assert figures["coverage_score"] == pytest.approx(len(set(lists.ravel())) / world.shape[1], rel=1e-5)
        shares = pd.Series(decile[lists.ravel()]).value_counts(normalize=True).reindex(range(1, 11), fill_value=0)
        exposed = table("evaluate/exposure.parquet").query(f"recommender == '{name}'").set_index("decile")["share"]
        assert exposed.to_dict() == pytest.approx(shares.to_dict())


def baseline_scores(world: World, name: str, chosen: dict[str, float], *sides: str) -> Matrix:
    """Fitted to the training tracks, for playlists known by `sides`."""
    known, artist = world.side(*sides), world.tracks["artist_index"].to_numpy()
    if name in {"stan", "sequential_rules"}:
        by_loops = stan_scores if name == "stan" else rule_scores
        return np.stack([by_loops(world, own, chosen) for own in world.sequences(*sides)])
    if "decay" in chosen:
        known = world.recency(chosen["decay"], chosen["floor"], *sides)
    same = (artist[:, None] == artist[None]) & (artist >= 0)
    share = known @ same / np.maximum(known.sum(axis=1, keepdims=True), 1e-9)
    most = np.array([world.counts[own].max(initial=0) for own in same])
    if name == "popularity":
        return np.tile(world.counts, (world.shape[0], 1))
    if name == "artist_popularity":
        return share * world.counts + world.counts / (world.counts.max() + 1) / (world.shape[1] + 1)
    if name == "ease":
        gram = world.train.T @ world.train + chosen["l2"] * np.eye(world.shape[1])
        inverse = np.linalg.inv(gram)
        weights = inverse / -np.diag(inverse)
        np.fill_diagonal(weights, 0)
        return known @ weights
    if name in {"als", "graph_filter"}:  # the formulas are tested in tests/library/recommend
        fit = library_fit(name, chosen)
        return np.asarray(fit(csr_matrix(world.train.astype(np.float32)))(csr_matrix(known.astype(np.float32))))
    cosines = world.cosines(chosen["shrink"], int(chosen["neighbours"]), chosen.get("distance"))
    scores = known @ cosines.T
    scores += chosen.get("genre_weight", 0) * world.genre_share(known)
    return scores + chosen.get("artist_weight", 0) * share * world.counts / np.maximum(most, 1)


def library_fit(name: str, chosen: dict[str, float]) -> Any:
    seed = int(np.random.default_rng(derive_seed(params()["seed"], "playlists", "evaluate")).integers(2**31))
    if name == "als":
        ridge, alpha = chosen["regularisation"], chosen["alpha"]
        return partial(fit_als, factors=int(chosen["factors"]), ridge=ridge, alpha=alpha, rounds=2, seed=seed)
    options = {"factors": int(chosen["factors"]), "alpha": chosen["alpha"], "sharpening": chosen["sharpening"]}
    return partial(fit_graph_filter, **options, seed=seed)


def stan_scores(world: World, own: list[int], chosen: dict[str, float]) -> Matrix:
    """By loops over all lists."""
    scores = np.zeros(world.shape[1])
    near = []
    for number, other in enumerate(world.sequences("train")):
        both = [np.exp(-(len(own) - 1 - own.index(track)) / chosen["decay"]) for track in other if track in own]
        near.append((sum(both) / np.sqrt(max(len(other), 1)), -number))
    for nearness, number in sorted(near, reverse=True)[: int(chosen["lists"])]:
        other = world.sequences_of_train[-number]
        common = [track for track in own if track in other]
        if common:
            place = other.index(common[-1])
            for position, track in enumerate(other):
                scores[track] += nearness * np.exp(-abs(position - place) / chosen["spread"])
    return scores


def rule_scores(world: World, own: list[int], chosen: dict[str, float]) -> Matrix:
    scores, reach = np.zeros(world.shape[1]), int(chosen["reach"])
    for other in world.sequences_of_train:
        if own and own[-1] in other:
            place = other.index(own[-1])
            for apart, track in enumerate(other[place + 1 : place + 1 + reach], 1):
                scores[track] += 1 / apart
    return scores


NAMES = (
    "popularity", "artist_popularity", "ease", "als", "graph_filter", "item_knn", "item_knn_artist",
    "item_knn_recency", "item_knn_recency_artist", "item_knn_ordered", "stan", "sequential_rules",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_baselines_are_fitted_to_training_tracks_and_told_all_before_the_test(
    world: World, judgement: dict[str, Any], name: str
) -> None:
    chosen = judgement["baseline_settings"][name]
    lists = world.tests(baseline_scores(world, name, chosen, "train", "val"))
    found = rows_of(name)
    assert found["playlist_index"].tolist() == lists.users
    assert (np.abs(found["recall_at_50"] - lists.recall(50)) < 1e-6).mean() > 0.9, "equal scores in another order"
    assert found["recall_at_10"].mean() == pytest.approx(lists.recall(10).mean(), abs=0.01)
    of_validation = world.validation(baseline_scores(world, name, chosen, "train")).recall(10).mean()
    assert chosen["val_recall_at_10"] == pytest.approx(of_validation, abs=0.01)
    if name not in {"popularity"}:
        told_less = world.tests(baseline_scores(world, name, chosen, "train"))
        assert (np.abs(found["recall_at_50"] - told_less.recall(50)) < 1e-6).mean() < 0.9, "validation tracks count"


def grid_of(name: str) -> dict[str, list[float]]:
    """The values of a baseline's settings, by the words of params.yaml."""
    own = PLAYLISTS.section("evaluate", **CHANGES["evaluate"]).baselines
    knn = {"neighbours": own.knn_neighbours, "shrink": own.knn_shrink}
    recent = knn | {"decay": own.recency_decays, "floor": own.recency_floors}
    grids: dict[str, dict[str, list[float]]] = {
        "popularity": {},
        "artist_popularity": {},
        "ease": {"l2": own.ease_l2},
        "als": {"factors": own.als_factors, "regularisation": own.als_regularisation, "alpha": own.als_alpha},
        "graph_filter": {
            "factors": own.filter_factors, "alpha": own.filter_alphas, "sharpening": own.filter_sharpenings
        },
        "item_knn": knn,
        "item_knn_artist": knn | {"artist_weight": own.artist_weights},
        "item_knn_recency": recent,
        "item_knn_recency_artist": recent | {"artist_weight": own.artist_weights},
        "item_knn_ordered": recent | {
            "artist_weight": own.artist_weights, "genre_weight": own.genre_weights, "distance": own.ordered_distances
        },
        "stan": {"lists": own.stan_lists, "decay": own.stan_decays, "spread": own.stan_spreads},
        "sequential_rules": {"reach": own.rules_reach},
        "sasrec": {"dim": own.sasrec_dims},
    }  # fmt: skip
    return grids[name]


@pytest.mark.parametrize("name", NAMES)
def test_no_setting_of_a_baseline_is_better_on_validation(world: World, judgement: dict[str, Any], name: str) -> None:
    chosen, grid = judgement["baseline_settings"][name], grid_of(name)
    assert grid.keys() <= chosen.keys()
    for setting, values in grid.items():
        for value in values:
            other = world.validation(baseline_scores(world, name, chosen | {setting: value}, "train")).recall(10).mean()
            assert other <= chosen["val_recall_at_10"] + 0.006, (setting, value, "and 0.006 for ties in another order")


def test_what_was_not_tuned_and_what_is_at_an_edge_is_told(judgement: dict[str, Any]) -> None:
    settings = judgement["baseline_settings"]
    for name in (*NAMES, "sasrec"):
        grid = {setting: values for setting, values in grid_of(name).items() if setting in settings[name]}
        single = sorted(setting for setting, values in grid.items() if len(set(values)) == 1)
        assert judgement["baseline_settings_not_tuned"][name] == single, name
        edge = sorted(
            setting
            for setting, values in grid.items()
            if len(values) > 1
            and (settings[name][setting] == max(values) or settings[name][setting] == min(values) != 0)
        )
        assert judgement["baseline_settings_at_grid_edge"][name] == edge, name


def test_the_blend_s_weight_is_the_best_on_validation(world: World) -> None:
    chosen = world.settings["blend"]["weight"]
    recalls = {}
    for weight in (0.0, 0.5, 4.0):
        world.settings["blend"]["weight"] = weight
        recalls[weight] = world.validation(world.scores("train")).recall(10).mean()
    world.settings["blend"]["weight"] = chosen
    assert recalls[chosen] == pytest.approx(max(recalls.values()), abs=1e-6)


def test_tuning_gets_validation_tracks_of_some_playlists_and_no_others(
    world: World, judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    seen = []

    def recall(self: Any, fitted: Any) -> float:
        given = self.given
        seen.append(given.tuning)
        assert (self.train.toarray() == world.train).all()
        assert (given.train.matrix().toarray() == world.train).all()
        return float(real(self, fitted))

    real = tuned_baselines.TunedBaselines.recall
    monkeypatch.setattr(tuned_baselines.TunedBaselines, "recall", recall)
    with torch_restored():
        PLAYLISTS.run("evaluate", baselines={"tuning_playlists": 20})
    assert len(seen) >= 9
    every = world.users("val")
    for held in seen[:1]:
        assert held.users.tolist() == every[:: -(-len(every) // 20)], "spread evenly over all"
        for user, hidden, known in zip(held.users, held.hidden, held.known, strict=True):
            assert hidden.tolist() == np.flatnonzero(world.side("val")[user]).tolist()
            assert known.tolist() == np.flatnonzero(world.train[user]).tolist()
    assert all(held is seen[0] for held in seen)
    whole = world.validation(world.scores("train")).recall(10).mean()
    assert PLAYLISTS.metrics("judgement")["model"]["val_recall_at_10"] == pytest.approx(whole, rel=1e-4)


def test_the_judgement_is_the_mean_of_the_stored_rows(world: World, judgement: dict[str, Any]) -> None:
    names = {"reciprocal_rank": "mrr_score", "novelty": "novelty_score", "diversity": "diversity_score"}
    columns = [f"{prefix}{name}_at_{k}" for prefix in ("", "seen_") for name in ("recall", "ndcg") for k in CUTOFFS]
    columns += ["ndcg_at_500", "challenge_r_precision"]
    names |= {name: name for name in (*columns, "r_precision", "seen_r_precision", "clicks")}
    figures = {"model": judgement["model"], **judgement["baseline"], **judgement["reference"]}
    assert "network" in figures
    for recommender, metrics in figures.items():
        rows = rows_of(recommender)
        for column, metric in names.items():
            assert metrics[metric] == pytest.approx(rows[column].mean(), rel=1e-5), (recommender, metric)
    lists = world.validation(world.scores("train"))
    for k in CUTOFFS:
        assert judgement["model"][f"val_recall_at_{k}"] == pytest.approx(lists.recall(k).mean(), rel=1e-4)


def test_slices_are_by_known_tracks(world: World) -> None:
    found = rows_of("model")
    known = world.side("train", "val")[found["playlist_index"]].sum(axis=1)
    bins = pd.cut(known, [0, 10, 25, 50, 100, np.inf], labels=["1-10", "11-25", "26-50", "51-100", "101+"])
    assert found["length"].tolist() == list(bins)
    slices = table("evaluate/slices.parquet")
    for metric in ("recall_at_10", "seen_recall_at_10", "clicks"):
        mine = slices[slices["metric"] == metric].set_index("value")["score"]
        assert mine.to_dict() == pytest.approx(found.groupby("length")[metric].mean().dropna().to_dict())
    assert found["seen_recall_at_10"].isna().any(), "or the test shows nothing of playlists without such a track"


def test_intervals_and_paired_differences_agree_with_theory(judgement: dict[str, Any]) -> None:
    own = rows_of("model")
    samples = [(judgement["interval"][name], own[name].dropna()) for name in ("recall_at_10", "clicks")]
    for name in judgement["baseline"]:
        apart = own["recall_at_10"] - rows_of(name)["recall_at_10"]
        samples.append((judgement["difference"]["recall_at_10"][name], apart))
    for found, sample in samples:
        half = stats.norm.ppf(0.975) * sample.std(ddof=0) / np.sqrt(len(sample))
        assert found["low"] == pytest.approx(sample.mean() - half, abs=0.35 * half + 1e-6)
        assert found["high"] == pytest.approx(sample.mean() + half, abs=0.35 * half + 1e-6)


def test_explained_playlists_are_drawn_from_all_and_their_first_tracks_told(world: World) -> None:
    completed = table("evaluate/completed.parquet")
    lists = world.tests(world.scores("train", "val"))
    number = completed["playlist"].str.split().str[0].astype(int)
    drawn = number.drop_duplicates().tolist()
    assert len(drawn) == 3
    assert drawn == sorted(drawn)
    assert set(drawn) <= set(lists.users)
    assert drawn not in (lists.users[:3], lists.users[-3:]), "the first or last ones show nothing of the others"
    names = dict(enumerate(track_names(world.tracks, table("label/artists.parquet"))))
    for playlist, own in completed.groupby(number):
        told = own.drop_duplicates("place")
        assert told["place"].tolist() == [1, 2]
        assert told["track"].tolist() == [names[track] for track in lists.order[lists.users.index(playlist)][:2]]
        for _, reasons in own.groupby("place"):
            assert 1 <= len(reasons) <= 3
            assert reasons["effect"].is_monotonic_decreasing


def test_reasons_are_by_how_much_the_score_falls(world: World) -> None:
    """Without a track its attention goes to the others; an artist's or genre's part leaves the recommended track."""
    splits, completed = world.sequences("train", "val"), table("evaluate/completed.parquet")
    tracks = {
        f"{table('label/artists.parquet')['artist'][row.artist_index]} – {row.title}": row.track_index
        for row in world.tracks.itertuples()
    }
    names = {number: name for name, number in tracks.items()}
    artists = table("label/artists.parquet").set_index("artist")["artist_index"]
    genres = table("label/genres.parquet").set_index("genre")["genre_index"]
    edges = table("label/genre_edges.parquet").set_index(["artist_index", "genre_index"])["share"]
    scores, tests = world.scores("train", "val"), world.side("test")
    blend = world.settings["blend"]
    similar = world.cosines(2.0, 10, distance=4.0)
    artist_of, genres_of = world.tracks["artist_index"].to_numpy(), world.genres

    def blended(weights: Matrix, near: Matrix, item: int, own: list[int]) -> float:
        share = 0.4 * (weights @ (artist_of[own] == artist_of[item])) * world.popular_of_artist[item]
        share += 0.1 * weights @ genres_of[own] @ genres_of[item]
        return float(blend["weight"] * (weights @ near + share / weights.sum()) / weights.sum())

    assert {"track", "artist", "genre"} <= set(completed["kind"])
    for row in completed.itertuples():
        playlist, item = int(row.playlist.split()[0]), tracks[row.track]
        own = splits[playlist]
        assert row.score == pytest.approx(scores[playlist, item], abs=1e-4)
        assert row.given == " · ".join(names[number] for number in own[-3:])
        assert row.found == (tests[playlist, item] == 1)
        whole = world.playlist(own)
        unit = world.vectors[item] / np.linalg.norm(world.vectors[item])
        weights = np.exp(-np.arange(len(own))[::-1] / blend["decay"]) + blend["floor"]
        near = similar[item, own]
        if row.kind == "track":
            gone = own.index(tracks[row.reason])
            left = np.where(np.arange(len(own)) == gone, 0, weights)
            effect = blended(weights, near, item, own) - blended(left, near, item, own)
            if len(own) - gone <= 10:
                effect += (whole - without(world, own, gone)) @ unit
        else:
            part = world.state["artist"][artists[row.reason]] if row.kind == "artist" else None
            if part is None:
                artist = int(world.tracks["artist_index"][item])
                part = edges[artist, genres[row.reason]] * world.state["genre"][genres[row.reason]]
            less = world.vectors[item] - part
            effect = whole @ (unit - less / np.linalg.norm(less))
            if row.kind == "artist":
                same = weights @ (artist_of[own] == artist_of[item])
                lost = 0.4 * same * world.popular_of_artist[item]
            else:
                one = genres[row.reason]
                lost = 0.1 * (weights @ genres_of[own, one]) * genres_of[item, one]
            effect += blend["weight"] * lost / weights.sum() ** 2
        assert row.effect == pytest.approx(effect, abs=1e-4)


def without(world: World, own: list[int], gone: int, heads: int = 2) -> Matrix:
    """The playlist's vector without one track, the gates and the common part of the others as they were."""
    last = own[::-1][:10]
    vectors = world.vectors[last]
    left = np.array([track != own[gone] for track in last])
    size, mean, whole = vectors.shape[1] // heads, vectors.mean(axis=0), np.zeros(vectors.shape[1])
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        logits = vectors[:, part] @ world.state["attention"][0, part] + mean[part] @ world.state["attention"][1, part]
        logits = np.where(logits > 0, logits, 0.2 * logits) + world.state["gate"][: len(vectors), head]
        share = np.exp(logits - logits.max()) * left
        whole[part] = share @ vectors[:, part] / share.sum()
    whole = whole @ world.state["query"]
    return whole / np.linalg.norm(whole)


def test_explanation_accuracy_counts_what_held(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judgement: dict[str, Any]
) -> None:
    assert judgement["explanations_checked"] == 20
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    falls = [("track", 2.0, 1.0)] * 3 + [("artist", 1.0, 2.0)] * 5
    checks = pd.DataFrame(
        [(user, 0, *fall) for user, fall in enumerate(falls)], columns=list(Checks.to_schema().columns)
    ).astype({"kind": "str"})
    monkeypatch.setattr(evaluate, "check_first_reasons", lambda *_: checks)
    with torch_restored():
        PLAYLISTS.run("evaluate")
    found = PLAYLISTS.metrics("judgement")
    assert found["model"]["explanation_accuracy"] == 3 / 8
    low, high = stats.binomtest(3, 8).proportion_ci(0.95, method="wilson")
    assert found["interval"]["explanation_accuracy"] == pytest.approx({"low": low, "high": high}, rel=1e-4)


def test_the_challenge_s_metrics_are_its_formulas(world: World) -> None:
    """(|S_T ∩ G_T| + ¼ |S_A ∩ G_A|) / |G_T|, and NDCG over 500 places."""
    found, lists = rows_of("model"), world.tests(world.scores("train", "val"))
    artist = world.tracks["artist_index"].to_numpy()
    for row, user in enumerate(lists.users):
        truth = set(np.flatnonzero(lists.hidden[user]).tolist())
        first = lists.order[row][: len(truth)].tolist()
        artists = {artist[track] for track in first} & {artist[track] for track in truth} - {-1}
        expected = (len(truth & set(first)) + 0.25 * len(artists)) / len(truth)
        assert found["challenge_r_precision"][row] == pytest.approx(expected)
    hits = lists.hits()
    ideal = np.arange(hits.shape[1], 0, -1)[None]
    for row in range(0, len(found), 7):
        assert found["ndcg_at_500"][row] == pytest.approx(ndcg_score(hits[[row]], ideal, k=500), abs=1e-6)
    assert (found["challenge_r_precision"] > found["r_precision"]).any()


def test_seen_r_precision_is_over_tracks_that_training_has(world: World) -> None:
    found, lists = rows_of("model"), world.tests(world.scores("train", "val"))
    seen = world.counts > 0
    hits = lists.hits()
    for row, user in enumerate(lists.users):
        count = int((lists.hidden[user] * seen).sum())
        if count:
            expected = (hits[row] * seen[lists.order[row]])[:count].sum() / count
            assert found["seen_r_precision"][row] == pytest.approx(expected)
    assert (found["seen_r_precision"] != found["r_precision"]).any()


def test_tables_by_seeds_are_of_the_last_known_tracks_and_of_playlists_never_seen(
    world: World, judgement: dict[str, Any]
) -> None:
    seeds = table("evaluate/seeds.parquet").set_index(["recommender", "unseen", "seeds"])
    unseen = world.splits[world.splits["split"] == "unseen"].sort_values(["playlist_index", "position"])
    assert not set(unseen["playlist_index"]) & set(world.splits.query("split != 'unseen'")["playlist_index"])
    whole = unseen.groupby("playlist_index")["track_index"].agg(list).to_dict()
    lists = {False: dict(enumerate(world.sequences("train", "val", "test"))), True: whole}
    candidates = world.counts > 0
    names = table("label/playlists.parquet")["name"].tolist()
    words = fit_words(names, *np.nonzero(world.train), world.counts.astype(np.int64))
    for group, tracks in lists.items():
        for count in (0, 1, 5, 10, 25):
            recalls, common = [], []
            for number, own in tracks.items():
                if len(own) < max(count, 1) + 5:
                    continue
                known, hidden = own[:-5], own[-5:]
                scores = words.scores([names[number]])[0] if not count else world.of_list(known[-count:])
                for values, kept in ((scores, recalls), (world.counts.copy(), common)):
                    values = np.where(candidates, values, -1e9)  # noqa: PLW2901
                    values[known] = -np.inf
                    kept.append(np.isin(np.argsort(-values, kind="stable")[:10], hidden).sum() / 5)
            if not recalls:
                assert ("model", group, count) not in seeds.index
                continue
            found = seeds.loc[("model", group, count)]
            assert found["playlists"] == len(recalls)
            assert found["recall_at_10"] == pytest.approx(np.mean(recalls), abs=0.011), (group, count)
            assert seeds.loc[("popularity", group, count)]["recall_at_10"] == pytest.approx(np.mean(common), abs=0.011)
    strongest = max(judgement["baseline_settings"].items(), key=lambda pair: pair[1]["val_recall_at_10"])[0]
    assert strongest in seeds.index.get_level_values(0)
