"""Products with sparse matrices in compressed sparse rows (CSR); deterministic, on a GPU too."""

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
NARROW = 32
"""On a CPU, fewer columns than this are multiplied by MKL, more by `embedding_bag`, which fetches rows ahead: it gives
the bits of `torch.sparse.mm` in a quarter of the time."""


@dataclass(frozen=True)
class BothWays:
    """A constant matrix (rows, columns) in CSR, and its transpose."""

    indptr: Tensor
    """(rows + 1,)"""
    columns: Tensor
    """(entries,)"""
    values: Tensor
    """(entries,)"""
    column_indptr: Tensor
    """(columns + 1,)"""
    rows: Tensor
    """(entries,), in the order of columns"""
    row_values: Tensor
    """(entries,), in the order of columns"""


def product(matrix: BothWays, vectors: Tensor) -> Tensor:
    """`matrix` (rows, columns) times `vectors` (columns, dim), with the gradient of the vectors."""
    result: Tensor = _Product.apply(matrix, vectors)
    return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrix: BothWays, vectors: Tensor) -> Tensor:
        ctx.matrix = matrix
        shape = len(matrix.indptr) - 1, len(matrix.column_indptr) - 1
        return times(csr(matrix.indptr, matrix.columns, matrix.values, shape), vectors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        matrix: BothWays = ctx.matrix
        shape = len(matrix.column_indptr) - 1, len(matrix.indptr) - 1
        transposed = csr(matrix.column_indptr, matrix.rows, matrix.row_values, shape)
        return None, times(transposed, gradients[0].contiguous())


def csr(indptr: Tensor, ends: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """A sparse matrix of `shape`."""
    return torch.sparse_csr_tensor(indptr, ends, full(values), shape, check_invariants=False)


def times(matrix: Tensor, vectors: Tensor) -> Tensor:
    """A sparse matrix times dense vectors, by the faster kernel."""
    vectors = full(vectors)
    if vectors.device.type == "cpu" and vectors.shape[1] >= NARROW:
        indptr, ends, values = matrix.crow_indices(), matrix.col_indices(), matrix.values()
        return embedding_bag(ends, vectors, indptr, mode="sum", per_sample_weights=values, include_last_offset=True)
    with torch.autocast(vectors.device.type, enabled=False):
        return matrix @ vectors


def full(tensor: Tensor) -> Tensor:
    """In 32 bits at least, whatever the precision of training: sparse products have no half precision."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
