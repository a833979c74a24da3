"""
Sums over edges as products of sparse matrices (CSR), forward and backward; deterministic, on a GPU too.

PyTorch Geometric's convolutions gather and scatter every edge's vector; a CSR product does the same sum several times
faster (`benchmarks/sessions/speed.py`). What is the same for all edges of a node is multiplied at the node, and what
backward needs per edge is written by hand, so that few passes over the edges are left.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu

from winnow.recommend import sparse
from winnow.recommend.graph import Graph

SLOPE = 0.2
"""Of the leaky rectifier in attention, as in the paper (Veličković et al. 2018)."""
SMALL = 1e-12


@dataclass(frozen=True)
class Values:
    """Numbers of the edges as the values of CSR matrices, without gradient."""

    graph: Graph
    by_user: Tensor
    """(heads, edges)"""
    by_item: Tensor
    """(heads, edges), in the order of items"""


@dataclass(frozen=True)
class EdgeWeights:
    """Each edge's weight: its strength times its user's share (both by head) times its item's `inv_sqrt_degree`."""

    graph: Graph
    strength: Tensor
    """(edges, heads)"""
    share: Tensor
    """(users, heads)"""
    values: Values
    """the strengths"""


def weigh_edges(graph: Graph, strength: Tensor, items_of_user: Tensor) -> EdgeWeights:
    """Scales a user's strengths to sum to √`items_of_user` (users,); equal strengths give LightGCN's weights."""
    # torch's root differs between CPU makers in the last bit, which double precision hides
    root = items_of_user.double().clamp_min(1).sqrt().to(strength.dtype)
    share = root[:, None] / user_sums(graph, strength).clamp_min(SMALL)
    return EdgeWeights(graph, strength, share, to_values(graph, strength))


def to_values(graph: Graph, numbers: Tensor) -> Values:
    """Numbers (edges, heads) as `Values`."""
    numbers = numbers.detach()
    return Values(graph, numbers.t().contiguous(), numbers.index_select(0, graph.by_item).t().contiguous())


def to_users(weights: EdgeWeights, items: Tensor) -> Tensor:
    """Each user's sum of their items' vectors, weighted by the edges: (users, dim) from (items, dim).

    Each head weighs its own part of the dimensions.
    """
    return _shared(
        _EdgeSum.apply(weights.values, weights.strength, items * weights.graph.inv_sqrt_degree[:, None], False),
        weights.share,
    )


def to_items(weights: EdgeWeights, users: Tensor) -> Tensor:
    """Each item's sum of its users' vectors, weighted by the edges: (items, dim) from (users, dim)."""
    sums: Tensor = _EdgeSum.apply(weights.values, weights.strength, _shared(users, weights.share), True)
    return sums * weights.graph.inv_sqrt_degree[:, None]


def user_sums(graph: Graph, values: Tensor) -> Tensor:
    """Sum of the values (edges, heads) over each user's edges: (users, heads)."""
    result: Tensor = _UserSum.apply(graph, values)
    return result


def average(graph: Graph, values: Tensor, keep: Tensor) -> Tensor:
    """Each user's mean of their items' values, weighted by `inv_sqrt_degree`: (users, heads) from (items, heads)."""
    weight, kept = graph.inv_sqrt_degree[:, None], keep[:, None]
    sums: Tensor = _EdgeSum.apply(to_values(graph, kept), kept, torch.cat([values * weight, weight], dim=1), False)
    return sums[:, :-1] / sums[:, -1:].clamp_min(SMALL)


def attention_strength(graph: Graph, of_item: Tensor, of_user: Tensor, keep: Tensor) -> Tensor:
    """Exponential of the leaky ReLU of an item's (items, heads) plus a user's logit (users, heads); 0 if hidden."""
    result: Tensor = _Strength.apply(graph, of_item, of_user, keep)
    return result


def _shared(vectors: Tensor, share: Tensor) -> Tensor:
    return (vectors.view(len(vectors), share.shape[1], -1) * share[:, :, None]).view_as(vectors)


class _Strength(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Graph, of_item: Tensor, of_user: Tensor, keep: Tensor) -> Tensor:
        logits = of_item.index_select(0, graph.item).add_(of_user.index_select(0, graph.user))
        falling = logits < 0
        logits = leaky_relu(logits, SLOPE, inplace=True)
        if len(logits):  # the maximum of no edges is undefined
            logits = logits.sub_(logits.amax())
        strength = logits.exp_().mul_(keep[:, None])
        ctx.graph = graph
        ctx.save_for_backward(strength, falling)
        return strength

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        strength, falling = ctx.saved_tensors
        slope = strength * gradients[0]
        slope = torch.where(falling, SLOPE * slope, slope)
        graph: Graph = ctx.graph
        return None, _sums(slope.index_select(0, graph.by_item), graph.item_indptr), _sums(slope, graph.indptr), None


class _UserSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Graph, values: Tensor) -> Tensor:
        ctx.graph = graph
        return _sums(values, graph.indptr)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return None, gradients[0].index_select(0, ctx.graph.user)


class _EdgeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Values, _strength: Tensor, vectors: Tensor, into_items: bool) -> Tensor:
        ctx.values, ctx.into_items = values, into_items
        ctx.save_for_backward(vectors)
        return _product(values, vectors, into_items=into_items)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (vectors,) = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        of_strength = of_vectors = None
        if ctx.needs_input_grad[1]:
            at_user, at_item = (vectors, gradient) if ctx.into_items else (gradient, vectors)
            of_strength = _edge_products(ctx.values, at_user, at_item)
        if ctx.needs_input_grad[2]:
            of_vectors = _product(ctx.values, gradient, into_items=not ctx.into_items)
        return None, of_strength, of_vectors, None


def _sums(values: Tensor, indptr: Tensor) -> Tensor:
    """Sums of rows `indptr[n]` to `indptr[n + 1]`."""
    return torch.segment_reduce(sparse.full(values), "sum", offsets=indptr, axis=0)


def _product(values: Values, vectors: Tensor, *, into_items: bool) -> Tensor:
    graph = values.graph
    if into_items:
        indptr, ends, heads, shape = graph.item_indptr, graph.user_by_item, values.by_item, (graph.items, graph.users)
    else:
        indptr, ends, heads, shape = graph.indptr, graph.item, values.by_user, graph.shape
    sums = [
        sparse.times(sparse.csr(indptr, ends, head, shape), part.contiguous())
        for head, part in zip(heads, vectors.chunk(len(heads), dim=1), strict=True)
    ]
    return sums[0] if len(sums) == 1 else torch.cat(sums, dim=1)


def _edge_products(values: Values, at_user: Tensor, at_item: Tensor) -> Tensor:
    """The product of the vectors at both ends of every edge, summed over each head's dimensions: (edges, heads)."""
    graph, heads = values.graph, len(values.by_user)
    pattern = sparse.csr(graph.indptr, graph.item, at_user.new_zeros(len(graph.item)), graph.shape)
    pairs = zip(at_user.chunk(heads, dim=1), at_item.chunk(heads, dim=1), strict=True)
    with torch.autocast(at_user.device.type, enabled=False):
        columns = [
            torch.sparse.sampled_addmm(
                pattern, sparse.full(user).contiguous(), sparse.full(item).t(), beta=0.0
            ).values()
            for user, item in pairs
        ]
    return torch.stack(columns, dim=1)
