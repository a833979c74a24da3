"""Products with sparse matrices, against dense ones."""

import pytest
import torch

from winnow.recommend.sparse import BothWays, csr, product, times


@pytest.mark.parametrize("dim", [3, 40])
def test_product_and_gradient_are_those_of_the_dense_matrix(dim: int) -> None:
    dense = torch.tensor([[0.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0], [3.0, 0.0, 0.5, 0.0]], dtype=torch.float64)
    csr, transposed = dense.to_sparse_csr(), dense.t().to_sparse_csr()
    matrix = BothWays(
        csr.crow_indices(), csr.col_indices(), csr.values(),
        transposed.crow_indices(), transposed.col_indices(), transposed.values(),
    )  # fmt: skip
    vectors = torch.rand(4, dim, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(product(matrix, vectors), dense @ vectors)
    assert torch.autograd.gradcheck(lambda each: product(matrix, each), (vectors,))


@pytest.mark.parametrize("dim", [3, 40])
def test_a_matrix_without_columns_gives_zeros(dim: int) -> None:
    """A batch whose tracks have no artist."""
    none, of_rows, of_columns = torch.zeros(0, dtype=torch.int32), torch.zeros(3), torch.zeros(1)
    matrix = BothWays(of_rows.int(), none, none.float(), of_columns.int(), none, none.float())
    vectors = torch.zeros(0, dim, requires_grad=True)
    found = product(matrix, vectors)
    assert torch.equal(found, torch.zeros(2, dim))
    found.sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.shape == (0, dim)


@pytest.mark.parametrize("dim", [32, 64, 96, 100])
def test_a_wide_product_has_the_bits_of_torch_s_own(dim: int) -> None:
    generator = torch.Generator().manual_seed(dim)
    indptr = torch.cat([torch.zeros(1), torch.randint(0, 60, (200,), generator=generator).cumsum(0)]).long()
    entries = int(indptr[-1])
    ends, values = torch.randint(0, 300, (entries,), generator=generator), torch.rand(entries, generator=generator)
    matrix, vectors = csr(indptr, ends, values, (200, 300)), torch.randn(300, dim, generator=generator)
    assert torch.equal(times(matrix, vectors), torch.sparse.mm(matrix, vectors, "sum"))
