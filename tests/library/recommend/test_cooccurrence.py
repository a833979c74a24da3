"""Nearest neighbours of items, against dense matrices."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from tests.library.recommend import small
from winnow.recommend import cooccurrence
from winnow.recommend.cooccurrence import (
    SimilarItems,
    Together,
    common_lists,
    edge_weights,
    near_pairs,
    nearest_neighbours,
    ordered_pairs,
    similar_items,
)
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


ITEMS = 12


def drawn_lists() -> list[list[int]]:
    """Lists of 0 to 9 of the items, each once."""
    rng = np.random.default_rng(5)
    return [rng.permutation(ITEMS)[: rng.integers(0, 10)].tolist() for _ in range(30)]


def flat(lists: list[list[int]]) -> tuple[np.ndarray, np.ndarray, int]:
    return np.cumsum([0, *map(len, lists)]), np.array([item for own in lists for item in own], dtype=np.int64), ITEMS


def dense_pairs(weight: Callable[[int], float], reach: int = 99) -> np.ndarray:
    """Row a, column b: the weights of all pairs in which b comes after a."""
    table = np.zeros((ITEMS, ITEMS))
    for own in drawn_lists():
        for first, second in combinations(range(len(own)), 2):
            if second - first <= reach:
                table[own[first], own[second]] += weight(second - first)
    return table


def test_pairs_of_a_range_of_items_are_those_rows_or_columns_of_all_pairs() -> None:
    expected = dense_pairs(lambda apart: 1 / apart, reach=4)
    lists = flat(drawn_lists())
    given = {"weight": lambda apart: 1 / apart, "reach": 4}
    np.testing.assert_allclose(ordered_pairs(*lists, **given).toarray(), expected, rtol=1e-6)
    block = np.isin(np.arange(ITEMS), range(3, 8))
    firsts, seconds = (ordered_pairs(*lists, **given, **{of: range(3, 8)}) for of in ("firsts", "seconds"))
    np.testing.assert_allclose(firsts.toarray(), np.where(block[:, None], expected, 0), rtol=1e-6)
    np.testing.assert_allclose(seconds.toarray(), np.where(block, expected, 0), rtol=1e-6)


@pytest.mark.parametrize(("pairs", "blocks"), [(10**6, 1), (200, range(3, ITEMS)), (1, ITEMS)])
@pytest.mark.parametrize("distance", [None, 2.0])
def test_similar_items_are_equal_however_many_blocks_of_items_their_lists_take(
    distance: float | None, pairs: int, blocks: int | range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cooccurrence, "BLOCK_PAIRS", pairs)
    lists = flat(drawn_lists())
    after = dense_pairs(lambda apart: 1.0 if distance is None else np.exp(-(apart - 1) / distance))
    users = np.bincount(lists[1], minlength=ITEMS)
    cosine = (after + after.T) / (np.sqrt(np.outer(users, users)) + 3.0)
    made = common_lists(*lists) if distance is None else near_pairs(*lists, distance)
    assert len(made.blocks) in ([blocks] if isinstance(blocks, int) else blocks)
    assert [item for block in made.blocks for item in block] == list(range(ITEMS))
    similar = SimilarItems(made, users, 6)
    for neighbours in (6, 4):
        least = np.sort(cosine, axis=1)[:, -neighbours][:, None]
        expected = np.where(cosine >= least - 1e-7, cosine, 0)
        np.testing.assert_allclose(similar(neighbours, 3.0).toarray(), expected.T, rtol=1e-5, atol=1e-9)


def test_a_matrix_of_one_block_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[range] = []
    lists = flat(drawn_lists())

    def make(block: range) -> sparse.csr_matrix:
        made.append(block)
        return sparse.csr_matrix((len(block), ITEMS), dtype=np.float32)

    for pairs, times in ((10**6, 1), (200, 2)):
        monkeypatch.setattr(cooccurrence, "BLOCK_PAIRS", pairs)
        together = Together(*lists, make)
        made.clear()
        for _ in range(2):
            assert [block for block, _ in together] == together.blocks
        assert len(made) == times * len(together.blocks), "a larger collection's blocks are not held"
