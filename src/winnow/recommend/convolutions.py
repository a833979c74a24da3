"""
torch_geometric's convolutions by their names, from the items of lists to the lists.

torch_geometric is imported where one is chosen, and nowhere else: that takes seconds.
"""

import warnings
from typing import Any, cast

import torch
from torch import Tensor, nn

from winnow.recommend.settings import Convolution

OWN = "own"


class BipartiteConvolution(nn.Module):
    """A convolution of `torch_geometric.nn` over the edges from items to lists."""

    def __init__(self, name: Convolution, dim: int, heads: int) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*torch.jit.script", FutureWarning)  # torch_geometric's own code
            from torch_geometric import nn as geometric  # noqa: PLC0415 - seconds that only these convolutions need

        self.both_ways = name == "LGConv"
        each = dim // heads
        if name in {"GATConv", "GATv2Conv"}:  # a list is no item of itself
            made = getattr(geometric, name)((dim, dim), each, heads, add_self_loops=False)
        elif name == "TransformerConv":
            made = geometric.TransformerConv((dim, dim), each, heads)
        elif name == "SAGEConv":
            made = geometric.SAGEConv((dim, dim), dim)
        else:
            made = geometric.LGConv()
        self.convolution = cast(nn.Module, made)

    def forward(self, items: Tensor, lists: Tensor, edges: Tensor) -> Tensor:
        """Vectors of the lists, (lists, dim), from those of items (items, dim) and lists (lists, dim).

        `edges` (2, edges) are (item, list). LGConv has no bipartite form: items and lists are nodes of one graph there,
        whose edges go both ways.
        """
        convolution: Any = self.convolution
        if not self.both_ways:
            found: Tensor = convolution((items, lists), edges)
            return found
        there = torch.stack([edges[0], edges[1] + len(items)])
        nodes: Tensor = convolution(torch.cat([items, lists]), torch.cat([there, there.flip(0)], dim=1))
        return nodes[len(items) :]
