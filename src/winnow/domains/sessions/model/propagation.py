"""
Sums over edges as products of sparse matrices (CSR), forward and backward; deterministic, on a GPU too.

PyTorch Geometric's convolutions gather and scatter every edge's vector; a CSR product does the same sum several times
faster (`benchmarks/sessions_propagation.py`).
"""

import warnings
from typing import Any

import torch
from torch import Tensor

from winnow.domains.sessions.model.graph import Graph

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")


def to_users(graph: Graph, values: Tensor, vectors: Tensor) -> Tensor:
    """Each user's sum of her songs' vectors, times the edges' values: (users, dim) from (songs, dim).

    `values` is (edges,), or (edges, heads): then each head weighs its own part of the dimensions.
    """
    result: Tensor = _EdgeSum.apply(graph, values, vectors, False)
    return result


def to_songs(graph: Graph, values: Tensor, vectors: Tensor) -> Tensor:
    """Each song's sum of its listeners' vectors: (songs, dim) from (users, dim)."""
    result: Tensor = _EdgeSum.apply(graph, values, vectors, True)
    return result


def user_sums(graph: Graph, values: Tensor) -> Tensor:
    """Sum of the values (edges, heads) over each user's edges: (users, heads)."""
    ones = values.new_ones(graph.songs, values.shape[1])
    return to_users(graph, values, ones)


class _EdgeSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, graph: Graph, values: Tensor, vectors: Tensor, into_songs: bool) -> Tensor:
        ctx.graph, ctx.into_songs = graph, into_songs
        ctx.save_for_backward(values, vectors)
        return _product(graph, values, vectors, into_songs=into_songs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        values, vectors = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        of_values = of_vectors = None
        if ctx.needs_input_grad[1]:
            mine, song = (vectors, gradient) if ctx.into_songs else (gradient, vectors)
            of_values = _edge_products(ctx.graph, mine, song, values.shape)
        if ctx.needs_input_grad[2]:
            of_vectors = _product(ctx.graph, values, gradient, into_songs=not ctx.into_songs)
        return None, of_values, of_vectors, None


def _product(graph: Graph, values: Tensor, vectors: Tensor, *, into_songs: bool) -> Tensor:
    if into_songs:
        starts, ends, shape = graph.song_starts, graph.listener, (graph.songs, graph.users)
        values = values[graph.by_song]
    else:
        starts, ends, shape = graph.starts, graph.song, (graph.users, graph.songs)
    if values.dim() == 1:
        return _times(_sparse(starts, ends, values, shape), vectors)
    parts = vectors.chunk(values.shape[1], dim=1)
    heads = values.t().contiguous()
    sums = [
        _times(_sparse(starts, ends, value, shape), part.contiguous()) for value, part in zip(heads, parts, strict=True)
    ]
    return torch.cat(sums, dim=1)


def _times(matrix: Tensor, vectors: Tensor) -> Tensor:
    """The product; PyTorch's kernel with a reduction does it in half the time, but only on the CPU."""
    return torch.sparse.mm(matrix, vectors, "sum") if vectors.device.type == "cpu" else matrix @ vectors


def _sparse(starts: Tensor, ends: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    return torch.sparse_csr_tensor(starts, ends, values, shape, check_invariants=False)


def _edge_products(graph: Graph, at_user: Tensor, at_song: Tensor, shape: torch.Size) -> Tensor:
    """The product of the vectors at both ends of every edge, summed over each head's dimensions: `shape`."""
    heads = shape[1] if len(shape) == 2 else 1
    pattern = _sparse(graph.starts, graph.song, at_user.new_zeros(len(graph.song)), graph.shape)
    pairs = zip(at_user.chunk(heads, dim=1), at_song.chunk(heads, dim=1), strict=True)
    columns = [
        torch.sparse.sampled_addmm(pattern, mine.contiguous(), song.t(), beta=0.0).values() for mine, song in pairs
    ]
    return torch.stack(columns, dim=1).view(shape)
