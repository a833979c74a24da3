"""The network: its attention, who it can score, and how many parameters it has."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.library.domains.sessions import small
from tests.library.recommend import small as data
from tests.library.recommend.test_propagation import weight_of_edges
from winnow.domains.sessions.model.tensors import build_model
from winnow.domains.sessions.params import Network
from winnow.pipeline.errors import TrainingError
from winnow.recommend.graph import build_graph, fold_in

NETWORK = {
    "embedding_dim": 32, "heads": 4, "layers": 2, "attention": "learned", "min_listeners": 1, "temperature": 0.5,
    "dropout": 0.0, "genre_weight": 0.15, "filter_weight": [0.0], "filter_factors": 8, "filter_alpha": 0.3,
    "filter_sharpening": 0.0, "convolution": "own", "blend_with": "graph_filter", "knn_neighbours": 5,
    "knn_shrink": 0.0, "knn_asymmetry": 0.5,
}  # fmt: skip


def test_attention_starts_at_lightgcn() -> None:
    graph, fixed = data.graph(), small.network(learned=False)
    learned = small.network(learned=True)
    state = fixed.state_dict() | {"attention": torch.zeros(2, 8)}
    learned.load_state_dict(state)
    for one, other in zip(fixed(graph, small.types()), learned(graph, small.types()), strict=True):
        torch.testing.assert_close(one, other)
    degree = torch.bincount(graph.user)[graph.user] * torch.bincount(graph.item)[graph.item]
    for model in (fixed, learned):
        torch.testing.assert_close(
            weight_of_edges(model.edge_weights(graph, model.plain_songs()))[:, 0], degree.float() ** -0.5
        )


def test_attention_of_a_user_sums_to_one_over_what_is_not_hidden() -> None:
    graph, model = data.graph(), small.network()
    keep = (torch.rand(len(graph.item)) < 0.6).float()
    keep[graph.indptr[:-1]] = 1
    weights = model.edge_weights(graph, model.plain_songs(), keep)
    kept = torch.bincount(graph.user, keep).float()
    shares = weights.strength * weights.share[graph.user] / kept.sqrt()[graph.user, None]
    total = torch.zeros(data.USERS, 2).index_add(0, graph.user, shares)
    torch.testing.assert_close(total, torch.ones(data.USERS, 2))
    assert not shares[keep == 0].any()
    assert shares.std() > 0.01


@pytest.mark.parametrize("learned", [True, False])
def test_a_hidden_edge_is_as_good_as_none(learned: bool) -> None:
    graph, model = data.graph(), small.network(layers=1, genres=4, learned=learned)
    hidden = int(graph.indptr[4])
    keep = torch.ones(len(graph.item))
    keep[hidden] = 0
    users, songs = data.pairs()
    without = fold_in((np.delete(users, hidden), np.delete(songs, hidden)), graph.users, graph)
    torch.testing.assert_close(model(graph, small.types(), keep)[0][4], model(without, small.types())[0][4])


def test_a_user_folded_in_has_the_vector_they_have_in_the_graph() -> None:
    graph, model = data.graph(), small.network(genres=4)
    users, songs, _ = model(graph, small.types())
    own = graph.items_of(7).numpy()
    alone = fold_in((np.zeros(len(own), dtype=np.int64), own), 1, graph)
    weights = model.edge_weights(alone, model.plain_songs())
    torch.testing.assert_close(model.user_vectors(weights, songs, small.types()[7:8])[0], users[7])


@torch.no_grad()
def test_a_user_s_type_weighs_the_same_for_few_songs_as_for_many() -> None:
    model = small.network(genres=4, layers=1, learned=False)
    assert model.user_type is not None
    model.user_type[0] = torch.randn(model.user_type.shape[1])
    model.genre_share.zero_()
    model.song[:6] = model.song[0]
    graph = build_graph((np.array([0, 1, 1, 1, 1, 1]), np.arange(6)), (2, data.ITEMS))
    few, many = model(graph, torch.tensor([0, 0]))[0]
    torch.testing.assert_close(few, many)
    other = model(graph, torch.tensor([1, 1]))[0][0]
    assert (few - other).norm() > 0.1


def parameters(kind: str, songs: int, **changes: object) -> int:
    genres = pd.DataFrame({"song_index": range(songs), "genre_index": np.arange(songs) % 20, "share": 1.0})
    network = Network.model_validate(NETWORK | changes)
    model = build_model(network, kind, np.full(songs, 5), genres, ["train"])
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameter_counts_at_the_guides_scale() -> None:
    """5,000 songs. No user has a parameter, so the counts hold for any number of users (1,200 in the presets)."""
    songs = 5000
    assert parameters("gat", songs) == songs * 32 + songs + 1 + 2 * 32
    assert parameters("gat", songs, embedding_dim=40) == pytest.approx(206_000, rel=0.01)
    assert parameters("genre_gat", songs, embedding_dim=100) == songs * 101 + 1 + 2 * 100 + 20 * 100 + 3 * 100
    assert parameters("genre_gat", songs, embedding_dim=100) > 500_000


def test_songs_of_few_listeners_have_no_embedding_but_a_vector() -> None:
    listeners = np.array([1, 5, 2, 9])
    network = Network.model_validate(NETWORK | {"min_listeners": 3})
    model = build_model(network, "gat", listeners, pd.DataFrame(columns=["genre_index"]), ["train"])
    assert model.own.tolist() == [1, 3]
    graph = build_graph((np.array([0, 0, 1, 1]), np.array([0, 1, 2, 3])), (2, 4))
    _, songs, _ = model.eval()(graph, torch.zeros(2, dtype=torch.int64))
    assert (songs.norm(dim=1) > 0).all()


def test_a_network_that_cannot_be_built_is_an_error() -> None:
    network = Network.model_validate(NETWORK)
    nothing = pd.DataFrame({"song_index": [], "genre_index": [], "share": []})
    with pytest.raises(TrainingError, match="no song has a genre, and genre_gat learns from genres"):
        build_model(network, "genre_gat", np.ones(3), nothing, ["train"])
    with pytest.raises(TrainingError, match="no song has 1 training listeners"):
        build_model(network, "gat", np.zeros(3), nothing, ["train"])
