"""
torch_geometric's convolutions over several types of nodes: from tracks, artists and genres to playlists.

torch_geometric is imported where one is chosen, and nowhere else: that takes seconds.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from torch import Tensor, nn

Name = Literal["HeteroConv", "HGTConv"]
TARGET = "playlist"


class HeteroConvolution(nn.Module):
    """`HeteroConv`, with a bipartite GATConv for each edge type, or `HGTConv`; every edge ends at a playlist."""

    def __init__(self, name: Name, sources: Sequence[str], dim: int, heads: int) -> None:
        """`sources` are the other types of nodes there are, `track` among them."""
        super().__init__()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*torch.jit.script", FutureWarning)  # torch_geometric's own code
            warnings.filterwarnings("ignore", "There exist node types", UserWarning)  # only playlists are asked for
            from torch_geometric import nn as geometric  # noqa: PLC0415 - seconds that only these convolutions need

            self.edge_types = {source: (source, "in", TARGET) for source in sources}
            if name == "HeteroConv":
                each = {
                    edge_type: geometric.GATConv((dim, dim), dim // heads, heads, add_self_loops=False)
                    for edge_type in self.edge_types.values()
                }
                made = geometric.HeteroConv(each, aggr="sum")
            else:
                made = geometric.HGTConv(dim, dim, ([*sources, TARGET], [*self.edge_types.values()]), heads)
                for source in sources:  # no edge ends there: what makes their new vectors is never used
                    made.skip[source].requires_grad_(False)
                    made.out_lin.lins[source].requires_grad_(False)
        self.convolution = cast(nn.Module, made)

    def forward(self, playlists: Tensor, around: Mapping[str, tuple[Tensor, Tensor]]) -> Tensor:
        """New vectors of the playlists, (playlists, dim).

        `around` has the vectors (nodes, dim) of every source, and the edges (2, edges) from it: (node, playlist).
        """
        convolution: Any = self.convolution
        nodes = {source: around[source][0] for source in self.edge_types} | {TARGET: playlists}
        edges = {edge_type: around[source][1] for source, edge_type in self.edge_types.items()}
        found: Tensor = convolution(nodes, edges)[TARGET]
        return found
