"""The batches of a training, against the graph built anew without what is to be found."""

import numpy as np
import pytest

from tests.library.domains.playlists import small
from winnow.domains.playlists.model.sequences import Sequences, sequences_from
from winnow.recommend.negatives import NegativeSampler


def cosines(lists: list[list[int]]) -> np.ndarray:
    """Shrunk cosines of the tracks that may be neighbours, each row scaled to 1, (tracks, tracks)."""
    known = np.zeros((len(lists), small.TRACKS))
    for row, own in enumerate(lists):
        known[row, own] = 1
    counts = known.sum(0)
    table = known.T @ known / (np.sqrt(np.outer(counts, counts)) + small.WEIGHT.shrink)
    np.fill_diagonal(table, 0)
    original = small.sequences()
    table[:, np.bincount(original.track, minlength=small.TRACKS) < small.WEIGHT.min_playlists] = 0
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1e-12)


def lists_of(given: Sequences) -> list[list[int]]:
    return [given.track[given.indptr[n] : given.indptr[n + 1]].tolist() for n in range(len(given))]


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr"])
def test_edges_are_those_of_the_graph_without_the_tracks_to_find(loss: str) -> None:
    given = small.sequences()
    whole = lists_of(given)
    loader = small.loader(given, loss)
    made = loader.of_playlists(np.arange(small.PLAYLISTS), np.random.default_rng(1))
    batch = {name: value.numpy() for name, value in made.items()}
    rows = batch["track"]
    edges = small.edges(batch, loader.graph)
    given_list, targets = batch["place"] // 6, batch["target_list"]
    first = len(given_list)
    changed = 0
    for playlist in range(small.PLAYLISTS):
        hidden = rows[first : first + len(targets)][targets == playlist].tolist()
        cut = whole[playlist].index(hidden[0])
        assert hidden == whole[playlist][cut : cut + 3], "the next tracks are to be found"
        own = np.flatnonzero(given_list == playlist)
        assert rows[own].tolist() == whole[playlist][:cut][::-1][:6], "the last ones before the cut, the last one first"
        assert (batch["place"][own] % 6).tolist() == list(range(len(own)))
        left = [[track for track in one if track not in hidden or n != playlist] for n, one in enumerate(whole)]
        table = cosines(left)
        for row in [*own, *(first + np.flatnonzero(targets == playlist))]:
            np.testing.assert_allclose(edges[row], table[rows[row]], atol=1e-5)
            changed += not np.allclose(edges[row], cosines(whole)[rows[row]], atol=1e-5)
    assert changed > 30, "or the test shows nothing"
    for row in range(first + len(targets), len(rows)):
        np.testing.assert_allclose(edges[row], cosines(whole)[rows[row]], atol=1e-5)


def test_some_playlists_are_numbered_anew() -> None:
    given = small.sequences()
    chosen = np.array([7, 2, 19])
    some = given.some(chosen)
    assert lists_of(some) == [lists_of(given)[number] for number in chosen]
    np.testing.assert_array_equal(
        some.recency_matrix(2.0, 0.1).toarray(), given.recency_matrix(2.0, 0.1)[chosen].toarray()
    )


@pytest.mark.parametrize("name", ["track", "artist"])
def test_both_ways_of_a_matrix_agree(name: str) -> None:
    batch = small.loader(small.sequences()).batch(0, 0)
    dense, other = small.dense(batch, name)
    assert dense.any()
    np.testing.assert_allclose(dense, other.T, atol=1e-6)


def test_artists_have_their_tracks_weights() -> None:
    given = small.sequences()
    loader = small.loader(given)
    batch = loader.batch(0, 0)
    rows, count = batch["track"].numpy(), len(batch["track"])
    whole = np.concatenate([np.eye(small.TRACKS)[rows], small.edges(batch, loader.graph)])
    expected = np.zeros((2 * count, small.ARTISTS))
    for track, artist in enumerate(small.ARTIST_OF):
        if artist >= 0:
            expected[:, artist] += whole[:, track]
    artists = batch["artists"].numpy()
    found, _ = small.dense(batch, "artist")
    np.testing.assert_allclose(found, expected[:, artists], atol=1e-5)
    assert not np.delete(expected, artists, axis=1).any()


def test_negatives_a_playlist_has_are_marked_and_bpr_draws_others() -> None:
    given = small.sequences()
    whole = lists_of(given)
    playlists = np.arange(small.PLAYLISTS)
    batch = small.loader(given).of_playlists(playlists, np.random.default_rng(0))
    count = len(batch["log_prob"])
    negatives = batch["track"][-count:].tolist()
    marked = set(zip(*batch["known"].tolist(), strict=True))
    expected = {(n, place) for n, own in enumerate(whole) for place, track in enumerate(negatives) if track in own}
    assert marked == expected
    assert expected
    batch = small.loader(given, "bpr").of_playlists(playlists, np.random.default_rng(0))
    negatives = batch["track"][-len(batch["target_list"]) :].tolist()
    mine = [track in whole[n] for track, n in zip(negatives, batch["target_list"].tolist(), strict=True)]
    assert np.mean(mine) < 0.1, "known tracks are drawn again, at most a few times"


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr"])
def test_negatives_are_drawn_by_the_probability_of_each_track(loss: str) -> None:
    """With bpr nearly: tracks that the playlist has are drawn again."""
    given = small.sequences()
    loader, rng = small.loader(given, loss, negatives=8), np.random.default_rng(0)
    probability = small.tables(given)[0]["probability"].to_numpy()
    counts, rounds, drawn = np.zeros(small.TRACKS), 400, 0
    for _ in range(rounds):
        batch = loader.of_playlists(np.arange(small.PLAYLISTS), rng)
        negative = batch["track"].numpy()[len(batch["place"]) + len(batch["target_list"]) :]
        np.add.at(counts, negative, 1)
        drawn += len(negative)
    if loss == "sampled_softmax":
        np.testing.assert_allclose(counts / rounds, 1 - (1 - probability) ** 8, atol=0.08)
    else:
        assert np.corrcoef(counts / drawn, probability)[0, 1] > 0.9
    assert counts[probability == 0].sum() == 0
    assert counts[probability > 0].all()


def test_popularity_of_a_target_is_without_its_playlist() -> None:
    given = small.sequences()
    counts = np.bincount(given.track, minlength=small.TRACKS)
    batch = small.loader(given).of_playlists(np.arange(small.PLAYLISTS), np.random.default_rng(0))
    tracks = batch["track"].numpy()[len(batch["place"]) :]
    own = np.arange(len(tracks)) < len(batch["target_list"])
    expected = np.floor(np.log2(np.maximum(counts[tracks] - own, 1)))
    assert batch["step"].tolist() == expected.tolist()


def test_late_cuts_leave_more_of_a_playlist_before_the_cut() -> None:
    given = sequences_from([np.arange(13)] * 40, small.TRACKS)
    shares = {}
    for late in (0.0, 0.75):
        loader = small.loader(small.sequences(), history=13, min_context_share=late)
        loader.sequences = given
        loader.known = small.loader(given).known
        loader.negatives = NegativeSampler(loader.negatives.probability, loader.known)
        batch = loader.of_playlists(np.arange(40), np.random.default_rng(0))
        shares[late] = [int((batch["target_list"] == n).sum()) for n in range(40)], batch["inside"].sum(dim=1).min()
    assert shares[0.0][1] < 6
    assert shares[0.75][1] == 10, "three quarters of 13 are 9.75"
    assert min(shares[0.75][0]) < 3
