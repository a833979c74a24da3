"""Sums over edges and their gradients, against dense matrices."""

import numpy as np
import pytest
import torch

from tests.library.recommend import small
from winnow.recommend.explanations import leave_one_out
from winnow.recommend.graph import build_graph
from winnow.recommend.propagation import EdgeWeights, attention_strength, average, to_items, to_users, weigh_edges


def weight_of_edges(weights: EdgeWeights) -> torch.Tensor:
    """(edges, heads)."""
    graph = weights.graph
    return weights.strength * weights.share[graph.user] * graph.inv_sqrt_degree[graph.item][:, None]


def test_sums_over_edges_are_products_with_the_dense_matrix() -> None:
    graph = small.graph()
    weights = weigh_edges(graph, torch.rand(len(graph.item), 2), torch.full((small.USERS,), 4.0))
    items, users = torch.randn(small.ITEMS, 6), torch.randn(small.USERS, 6)
    for head in range(2):
        dense = torch.zeros(graph.shape)
        dense[graph.user, graph.item] = weight_of_edges(weights)[:, head]
        own = slice(3 * head, 3 * head + 3)
        torch.testing.assert_close(to_users(weights, items)[:, own], dense @ items[:, own])
        torch.testing.assert_close(to_items(weights, users)[:, own], dense.T @ users[:, own])


def doubles(*shape: int) -> torch.Tensor:
    return torch.rand(shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("heads", "dim"), [(1, 6), (3, 6), (2, 80)])
def test_gradients_of_sums_are_right(heads: int, dim: int) -> None:
    graph = build_graph((np.array([0, 0, 1, 2, 2, 2]), np.array([1, 3, 3, 0, 1, 2])), (3, 4))
    items_of_user = torch.bincount(graph.user).double()

    def weights(strength: torch.Tensor) -> EdgeWeights:
        return weigh_edges(graph, strength, items_of_user)

    assert torch.autograd.gradcheck(lambda v, x: to_users(weights(v), x), (doubles(6, heads), doubles(4, dim)))
    assert torch.autograd.gradcheck(lambda v, x: to_items(weights(v), x), (doubles(6, heads), doubles(3, dim)))


def test_gradients_of_attention_are_right() -> None:
    graph = build_graph((np.array([0, 0, 1, 2, 2, 2]), np.array([1, 3, 3, 0, 1, 2])), (3, 4))
    keep = torch.tensor([1.0, 1, 1, 0, 1, 1], dtype=torch.float64)
    signs = torch.tensor([[1.0, -1], [-1, 1], [1, 1], [-1, -1]], dtype=torch.float64)

    def relative(of_item: torch.Tensor, of_user: torch.Tensor) -> torch.Tensor:
        strength = attention_strength(graph, of_item * signs, of_user * 0.1, keep)
        return strength / strength.sum()  # attention_strength divides by the largest, which has no gradient

    assert torch.autograd.gradcheck(relative, (doubles(4, 2), doubles(3, 2)))
    assert torch.autograd.gradcheck(lambda of_item: average(graph, of_item, keep), doubles(4, 2))
    of_user = average(graph, torch.tensor([[1.0], [2], [3], [4]], dtype=torch.float64), keep)
    inv_sqrt_degree = graph.inv_sqrt_degree.double()
    assert of_user[0].item() == pytest.approx(
        float((2 * inv_sqrt_degree[1] + 4 * inv_sqrt_degree[3]) / (inv_sqrt_degree[1] + inv_sqrt_degree[3]))
    )
    assert of_user[2].item() == pytest.approx(
        float((2 * inv_sqrt_degree[1] + 3 * inv_sqrt_degree[2]) / (inv_sqrt_degree[1] + inv_sqrt_degree[2]))
    )


def test_a_graph_without_edges_has_sums_of_zero() -> None:
    """A user with one item has none left when the effect of that item is asked for."""
    graph = leave_one_out(build_graph((np.array([0]), np.array([2])), (1, 4)), 0)
    assert graph.shape == (1, 4)
    strength = attention_strength(graph, torch.randn(4, 2), torch.randn(1, 2), torch.ones(0))
    weights = weigh_edges(graph, strength, torch.zeros(1))
    assert to_users(weights, torch.randn(4, 6)).tolist() == [[0.0] * 6]
    assert average(graph, torch.randn(4, 2), torch.ones(0)).tolist() == [[0.0, 0.0]]


def test_leaving_one_out_copies_the_user_without_each_item() -> None:
    graph = small.graph()
    copies = leave_one_out(graph, 7)
    own = graph.items_of(7).tolist()
    assert copies.users == len(own)
    for row, left_out in enumerate(own):
        assert copies.items_of(row).tolist() == [item for item in own if item != left_out]
    assert torch.equal(copies.inv_sqrt_degree, graph.inv_sqrt_degree)
