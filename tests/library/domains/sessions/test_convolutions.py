"""torch_geometric's convolutions in the place of the network's own, and the graph as it is known there."""

from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch

from tests.library.domains.sessions import small
from winnow.domains.sessions.model.hetero import hetero_data
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.params import Network
from winnow.recommend.graph import Graph, build_graph
from winnow.recommend.settings import Convolution

USERS = 7
NAMES: tuple[Convolution, ...] = ("GATConv", "GATv2Conv", "TransformerConv", "SAGEConv", "LGConv")


def regular() -> Graph:
    """Every song has three listeners, so that no song's scale differs from another's."""
    songs = np.tile(np.arange(small.ITEMS), 3)
    users = (songs * 5 + np.repeat(np.arange(3), small.ITEMS) * 2) % USERS
    return build_graph((users, songs), (USERS, small.ITEMS))


def users_of(model: GraphRecommender, graph: Graph, keep: torch.Tensor | None = None) -> torch.Tensor:
    return model(graph, torch.full((graph.users,), -1), keep)[0]


def test_those_over_several_types_of_nodes_are_playlists_alone() -> None:
    assert set(get_args(Network.model_fields["convolution"].annotation)) == {"own", *NAMES}


@torch.no_grad()
def test_own_attention_is_gatconv_s_where_all_songs_have_as_many_listeners() -> None:
    own, theirs = (small.network(layers=1, convolution=name) for name in ("own", "GATConv"))
    theirs.load_state_dict(own.state_dict(), strict=False)
    assert theirs.convolution is not None
    assert own.attention is not None
    gat, scale = theirs.convolution.convolution, 3.0**0.5  # songs come in over √listeners, the attention's do not
    for lin in (gat.lin_src, gat.lin_dst):
        lin.weight.copy_(torch.eye(8))
    gat.att_src.copy_(scale * own.attention[0].view(1, own.heads, -1))
    gat.att_dst.copy_(scale * own.attention[1].view(1, own.heads, -1))
    gat.bias.zero_()
    graph = regular()
    keep = (torch.arange(len(graph.item)) % 5 > 0).float()
    for kept in (None, keep):
        found, expected = users_of(theirs, graph, kept), users_of(own, graph, kept)
        assert found.std(dim=0).min() > 0.01
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_every_convolution_learns_from_the_songs_that_are_not_hidden(name: Convolution) -> None:
    model, graph = small.network(convolution=name), regular()
    keep = torch.ones(len(graph.item))
    hidden = int(graph.indptr[2])
    keep[hidden] = 0
    users_of(model, graph, keep)[2, 0].backward()
    assert model.song.grad is not None
    with torch.no_grad():
        shape = (graph.users, graph.items)
        left = torch.arange(len(graph.item)) != hidden
        pairs = graph.user[left].numpy(), graph.item[left].numpy()
        alone = build_graph(pairs, shape, graph.popularity)
        plain = model.plain_songs()
        songs = model.propagate(model.edge_weights(graph, plain, keep), plain)
        found = model.user_vectors(model.edge_weights(graph, plain, keep), songs, torch.full((USERS,), -1))
        expected = model.user_vectors(model.edge_weights(alone, plain), songs, torch.full((USERS,), -1))
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
        assert not torch.allclose(found[2], users_of(model, graph)[2], atol=1e-4)


def test_the_graph_has_every_training_edge_and_its_reverse_and_no_other() -> None:
    sides = ["train", "test", "val", "train", "cold_given", "cold_target"]
    splits = pd.DataFrame({"user_index": [0, 0, 0, 1, 2, 2], "song_index": [2, 1, 0, 0, 1, 2], "split": sides})
    weights = pd.DataFrame({"user_index": [0, 1, 0], "song_index": [2, 0, 0], "weight": [1.5, 0.5, 2.0]})
    genres = pd.DataFrame({"song_index": [0, 2], "genre_index": [1, 0], "share": [1.0, 1.0]})
    data = hetero_data(splits, weights, genres, users=3, songs=3)
    assert data.validate()
    assert data["user", "likes", "song"].edge_index.tolist() == [[0, 1], [2, 0]]
    assert data["user", "likes", "song"].weight.tolist() == [1.5, 0.5]
    assert data["song", "rev_likes", "user"].edge_index.tolist() == [[2, 0], [0, 1]]
    assert data["song", "of", "genre"].edge_index.tolist() == [[0, 2], [1, 0]]
    assert (data["user"].num_nodes, data["song"].num_nodes, data["genre"].num_nodes) == (3, 3, 2)
