"""Full rankings, the simple recommenders, and explanations."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from tests.library.domains.sessions import small
from winnow.domains.sessions.model.baselines import fit_als, fit_ease, fit_item_knn, fit_popularity, matrix_of
from winnow.domains.sessions.model.explanations import Explainer, first_reasons_hold, score_without
from winnow.domains.sessions.model.judging import list_diversity
from winnow.domains.sessions.model.ranking import best_of, rank, rank_by
from winnow.domains.sessions.model.tensors import Held, held_out


def held() -> Held:
    users, songs = small.pairs(seed=3, share=0.1)
    hidden = pd.DataFrame({"user_index": users, "song_index": songs})
    known = pd.DataFrame(dict(zip(("user_index", "song_index"), small.pairs(), strict=True)))
    return held_out(small.graph(), small.types(), hidden=hidden[hidden["song_index"] > 2], known=known)


def test_lists_are_those_of_sorting_all_songs() -> None:
    model = small.network()
    users, songs, bias = (value.detach() for value in model(small.graph(), small.types()))
    asked = held()
    found = rank(users, songs, bias, asked, block=7)
    scores = (users @ songs.T + bias).numpy()
    for row, user in enumerate(asked.users):
        own = scores[user].copy()
        own[asked.known[row]] = -np.inf
        best = [song for song in np.argsort(-own, kind="stable") if np.isfinite(own[song])]
        listed = [song for song in found.lists[row].tolist() if song >= 0]
        assert listed == best[: len(listed)]
        assert len(listed) == min(20, len(best))
        assert found.hits[row, : len(listed)].tolist() == [song in asked.hidden[row] for song in listed]
        open_songs = [song for song in asked.hidden[row] if song in best]
        if open_songs:
            assert found.reciprocal_rank[row] == pytest.approx(1 / (1 + min(best.index(song) for song in open_songs)))


@pytest.mark.parametrize("songs", [7, 20, 300, 1001, 6007])
@pytest.mark.parametrize("values", [2, 50, 10**6])
def test_the_best_are_those_of_a_stable_sort(songs: int, values: int) -> None:
    """Few different values: most are equal, and equals go by their number."""
    scores = torch.randint(values, (9, songs), generator=torch.Generator().manual_seed(songs)).float()
    scores[3, ::2] = -torch.inf
    found, numbers = best_of(scores, 20)
    order = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :20]
    assert (numbers.numpy() == order).all()
    assert torch.equal(found, scores.gather(1, numbers))


def test_the_size_of_a_block_changes_nothing() -> None:
    scores = torch.randn(small.USERS, small.SONGS)
    lists = [rank_by(lambda users: scores[torch.from_numpy(users)], held(), block).lists for block in (1, 8, 1000)]
    assert (lists[0] == lists[1]).all()
    assert (lists[0] == lists[2]).all()


def dense() -> np.ndarray:
    return matrix_of(small.graph()).toarray().astype(np.float64)


def test_ease_is_the_ridge_regression_with_a_zero_diagonal() -> None:
    known = dense()
    score = fit_ease(matrix_of(small.graph()), l2=5.0, songs=small.SONGS)(matrix_of(small.graph()))
    for song in (0, 11, 39):
        others = np.delete(known, song, axis=1)
        weights = np.linalg.solve(others.T @ others + 5.0 * np.eye(small.SONGS - 1), others.T @ known[:, song])
        np.testing.assert_allclose(score[:, song], others @ weights, atol=1e-3)


@pytest.mark.parametrize("factors", [3, 30])
def test_als_users_solve_their_own_least_squares(factors: int) -> None:
    train = matrix_of(small.graph())
    score = fit_als(train, factors=factors, ridge=0.5, alpha=4.0, rounds=3, seed=0)
    one = score(train[5])[0]
    assert one == pytest.approx(score(train)[5], abs=1e-3)
    assert one[train[5].indices].mean() > np.delete(one, train[5].indices).mean() + 0.2


def test_item_knn_is_cosine_of_the_nearest() -> None:
    known = dense()
    similar = known.T @ known / np.sqrt(np.outer(known.sum(0), known.sum(0)))
    np.fill_diagonal(similar, 0)
    train = matrix_of(small.graph())
    score = fit_item_knn(train, neighbours=small.SONGS, shrink=0.0)(train)
    np.testing.assert_allclose(score, known @ similar, rtol=1e-4)
    few = fit_item_knn(train, neighbours=2, shrink=0.0)(sparse.identity(small.SONGS, format="csr", dtype=np.float32))
    assert ((few > 0).sum(axis=0) <= 4).all()


def test_popularity_is_the_same_for_all() -> None:
    train = matrix_of(small.graph())
    assert (fit_popularity(train)(train[:3]) == dense().sum(0)).all()


def explainer(layers: int) -> Explainer:
    network = small.network(genres=4, layers=layers)
    graph = small.graph()
    plain = network.plain_songs()
    songs = network.walk(network.flow(graph, plain), plain)
    return Explainer(network, graph, small.types(), songs, plain)


@torch.no_grad()
def test_an_effect_is_what_the_score_really_loses() -> None:
    """With one layer a user's songs do not change each other, and the reason is exact."""
    told = explainer(layers=1)
    network = told.model
    users, songs, bias = network(told.graph, told.types)
    for user, song in ((3, 17), (8, 30)):
        score = float(users[user] @ songs[song] + bias[song])
        reasons = told.reasons(user, song)
        assert {reason.kind for reason in reasons} == {"song", "genre"}
        assert [reason.effect for reason in reasons] == sorted((reason.effect for reason in reasons), reverse=True)
        assert song not in told.graph.song[told.graph.starts[user] : told.graph.starts[user + 1]]
        for reason in reasons[:3] + reasons[-3:]:
            lost = score - score_without(network, told.graph, told.types, user, song, reason)
            assert lost == pytest.approx(reason.effect, abs=1e-4)


@torch.no_grad()
def test_taking_away_the_first_reason_costs_more_than_another() -> None:
    told = explainer(layers=2)
    pairs = [(user, int(song)) for user in range(20) for song in (25, 33)]
    before = told.model.genre_share.clone()
    held_true = first_reasons_hold(told.model, told, pairs, np.random.default_rng(0))
    assert len(held_true) == len(pairs)
    assert np.mean([held for _, held in held_true]) >= 0.9
    assert {kind for kind, _ in held_true} == {"song", "genre"}
    assert torch.equal(before, told.model.genre_share)


def test_diversity_of_a_list_is_the_mean_distance_of_its_pairs() -> None:
    genres = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=np.float32)
    lists = np.array([[0, 1, -1], [0, 2, 3], [0, 1, 2], [3, -1, -1]])
    found = list_diversity(lists, genres)
    assert found[:3] == pytest.approx([1.0, 0.0, 2 / 3])
    assert np.isnan(found[3])
