"""torch_geometric's convolutions in the place of the network's own, and the graph as it is known there."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from tests.library.domains.playlists import small
from winnow.domains.playlists.model.completion import Completer
from winnow.domains.playlists.model.explanations import CompletionExplainer
from winnow.domains.playlists.model.hetero import hetero_data
from winnow.domains.playlists.model.network import PlaylistGAT, encode_lists
from winnow.domains.playlists.model.sequences import sequences_from

NAMES = ("GATConv", "GATv2Conv", "TransformerConv", "SAGEConv", "LGConv", "HeteroConv", "HGTConv")


def lists_of(model: PlaylistGAT) -> tuple[Tensor, Tensor]:
    given = small.sequences()
    _, vectors = model.all_tracks()
    last = torch.from_numpy(given.last(np.flatnonzero(given.lengths() > 0), model.history))
    return vectors, last


@torch.no_grad()
def test_own_attention_is_gatconv_s_where_no_gate_weighs_and_no_matrix_turns() -> None:
    own, theirs = (small.network(small.sequences(), convolution=name) for name in ("own", "GATConv"))
    theirs.load_state_dict(own.state_dict(), strict=False)
    own.gate.fill_(0.3)
    theirs.gate.fill_(0.3)
    assert theirs.convolution is not None
    gat = theirs.convolution.convolution
    dim = own.track.shape[1]
    for lin in (gat.lin_src, gat.lin_dst):
        lin.weight.copy_(torch.eye(dim))
    gat.att_src.copy_(own.attention[0].view(1, own.heads, -1))
    gat.att_dst.copy_(own.attention[1].view(1, own.heads, -1))
    gat.bias.zero_()
    vectors, last = lists_of(own)
    found, expected = (encode_lists(model, vectors, last) for model in (theirs, own))
    assert len(found) > 5
    assert found.std(dim=0).min() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_every_convolution_learns_and_reads_the_order(name: str) -> None:
    model = small.network(small.sequences(), convolution=name).train()
    vectors, last = lists_of(model)
    encode_lists(model, vectors, last)[:, 0].sum().backward()
    assert model.track.grad is not None
    assert model.track.grad.abs().sum() > 0
    assert model.gate.grad is not None
    for parameter in model.convolution.parameters() if model.convolution else ():
        assert (parameter.grad is not None) == parameter.requires_grad
    for vectors_of in (model.artist, model.genre):
        assert vectors_of.grad is not None
    with torch.no_grad():
        turned = encode_lists(model, vectors, last[:1, :3].flip(1))
        assert not torch.allclose(turned, encode_lists(model, vectors, last[:1, :3]), atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_the_vector_without_each_track_is_that_of_the_others(name: str) -> None:
    given = small.sequences()
    explainer = CompletionExplainer(Completer(small.network(given, convolution=name), None), given)
    own = np.array([4, 7, 1, 9])
    whole, without = explainer._without_each(own)
    model, vectors = explainer.completer.model, explainer.completer.vectors
    torch.testing.assert_close(whole, encode_lists(model, vectors, torch.from_numpy(own)[None])[0])
    torch.testing.assert_close(without[3], encode_lists(model, vectors, torch.tensor([[4, 7, 1]]))[0])
    track = next(number for number in range(small.TRACKS) if number not in own)
    one = CompletionExplainer(explainer.completer, sequences_from([own[::-1]], small.TRACKS))
    effects = {reason.index: reason.effect for reason in one.reasons(0, track) if reason.kind == "track"}
    last = Completer(model, None).scores(sequences_from([own[::-1][:3]], small.TRACKS), np.array([0]))
    assert set(effects) == set(own.tolist())
    assert torch.isfinite(last).all()


def test_the_graph_has_every_training_edge_and_its_reverse_and_no_other() -> None:
    splits = pd.DataFrame(
        {
            "playlist_index": [0, 0, 0, 0, 1, 1, 2],
            "position": [0, 1, 2, 3, 1, 0, 0],
            "track_index": [3, 1, 0, 2, 0, 3, 1],
            "split": ["train", "train", "val", "test", "train", "train", "unseen"],
        }
    )
    tracks = pd.DataFrame({"track_index": range(4), "artist_index": [1, 0, -1, 1]})
    genre_edges = pd.DataFrame({"artist_index": [0, 1], "genre_index": [1, 0], "share": [1.0, 1.0]})
    track_edges = pd.DataFrame({"track_index": [3, 0], "neighbour": [1, 3], "weight": [1.0, 0.5]})
    data = hetero_data(splits, tracks, genre_edges, track_edges, playlists=3, artists=2, genres=2)
    assert data.validate()
    assert data.metadata()[0] == ["playlist", "track", "artist", "genre"]
    assert data["playlist", "has", "track"].edge_index.tolist() == [[0, 0, 1, 1], [3, 1, 3, 0]]
    assert data["playlist", "has", "track"].position.tolist() == [0, 1, 0, 1]
    assert data["track", "near", "track"].edge_index.tolist() == [[1, 3], [3, 0]]
    assert data["track", "by", "artist"].edge_index.tolist() == [[0, 1, 3], [1, 0, 1]]
    assert data["artist", "of", "genre"].edge_index.tolist() == [[0, 1], [1, 0]]
    assert data["genre", "rev_of", "artist"].edge_index.tolist() == [[1, 0], [0, 1]]
    assert data.num_nodes == 11
