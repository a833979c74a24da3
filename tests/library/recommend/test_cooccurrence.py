"""Nearest neighbours of items, against dense matrices."""

import numpy as np
import pytest

from tests.library.recommend import small
from winnow.recommend import cooccurrence
from winnow.recommend.cooccurrence import edge_weights, nearest_neighbours, similar_items
from winnow.recommend.graph import matrix_of


def dense_cosines(shrink: float) -> tuple[np.ndarray, np.ndarray]:
    """Counts of common users and shrunk cosines, (items, items), both 0 on the diagonal."""
    known = matrix_of(small.graph()).toarray().astype(np.float64)
    together = known.T @ known
    cosine = together / (np.sqrt(np.outer(np.diag(together), np.diag(together))) + shrink)
    for table in (together, cosine):
        np.fill_diagonal(table, 0)
    return together, cosine


@pytest.mark.parametrize("block", [7, 2048])
def test_similar_items_keeps_the_nearest_and_what_is_equal_to_the_last(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cooccurrence, "BLOCK", block)
    _, cosine = dense_cosines(4.0)
    least = np.sort(cosine, axis=1)[:, -5][:, None]
    expected = np.where(cosine >= least - 1e-9, cosine, 0)
    found = similar_items(matrix_of(small.graph()), neighbours=5, shrink=4.0)
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize(("asymmetry", "exponent"), [(0.5, 0.0), (0.2, 0.0), (0.5, 1.0), (0.3, 0.5)])
def test_popular_items_and_active_users_are_weighted(asymmetry: float, exponent: float) -> None:
    known = matrix_of(small.graph()).toarray().astype(np.float64)
    items = known.sum(axis=1)
    counts = (items[items > 0].mean() / np.maximum(items, 1)) ** exponent  # of users
    together = np.einsum("u,ua,ub->ab", counts, known, known)
    users = np.diag(together).copy()
    expected = together / (np.outer(users**asymmetry, users ** (1 - asymmetry)) + 4.0)
    np.fill_diagonal(expected, 0)
    found = similar_items(
        matrix_of(small.graph()), neighbours=small.ITEMS, shrink=4.0, asymmetry=asymmetry, user_exponent=exponent
    )
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-5)


def test_nearest_neighbours_are_the_best_candidates_with_their_common_users() -> None:
    together, cosine = dense_cosines(4.0)
    candidates = np.arange(small.ITEMS) % 3 > 0
    found = nearest_neighbours(matrix_of(small.graph()), neighbours=6, shrink=4.0, candidates=candidates)
    for item in range(small.ITEMS):
        own = found.item[item]
        assert candidates[own].all()
        assert (np.diff(own) > 0).all()
        assert item not in own
        assert found.together[item].tolist() == together[item, own].tolist()
        others = np.where(candidates, cosine[item], 0)
        assert np.sort(cosine[item, own]) == pytest.approx(np.sort(others)[-6:])


def test_an_item_with_few_neighbours_has_empty_places() -> None:
    candidates = np.arange(small.ITEMS) < 3
    found = nearest_neighbours(matrix_of(small.graph()), neighbours=6, shrink=0.0, candidates=candidates)
    assert found.item[0].tolist() == [1, 2, -1, -1, -1, -1]
    assert (found.together[0, 2:] == 0).all()


def test_edge_weights_are_cosines_scaled_to_one() -> None:
    together = np.array([[2.0, 0.0, 3.0], [0.0, 0.0, 0.0]], dtype=np.float32)
    of_neighbour = np.array([[4.0, 9.0, 9.0], [1.0, 1.0, 1.0]], dtype=np.float32)
    found = edge_weights(together, np.array([[4.0], [0.0]], dtype=np.float32), of_neighbour, 1.0)
    first, third = 2 / (4 + 1), 3 / (6 + 1)
    assert found[0].tolist() == pytest.approx([first / (first + third), 0, third / (first + third)])
    assert found[1].tolist() == [0, 0, 0]
