"""PlaylistGAT against the same formulas with dense matrices, and its size."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from tests.library.domains.playlists import small
from winnow.domains.playlists.model.completion import Completer, Neighbourhood, genres_of_tracks
from winnow.domains.playlists.model.network import PlaylistGAT, encode_lists, popularity_step
from winnow.domains.playlists.model.sequences import sequences_from
from winnow.domains.playlists.model.tensors import build_model
from winnow.domains.playlists.model.training import CompleterTask, PlaylistBlocks, validation_block
from winnow.domains.playlists.params import Network, Params
from winnow.pipeline.params import Document
from winnow.recommend.cooccurrence import similar_items
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.graph import build_graph
from winnow.recommend.ranking import rank_by


def task(loss: str) -> CompleterTask:
    """A task of which only the loss and the predictions are used."""
    params = SimpleNamespace(loss=loss, network=SimpleNamespace(temperature=0.2))
    return CompleterTask(*[None] * 5, params=params, artifacts=None)  # type: ignore[arg-type]


def dense_tracks(model: PlaylistGAT) -> tuple[np.ndarray, np.ndarray]:
    """Plain and full vectors of all tracks."""
    state = {name: value.detach().numpy().astype(np.float64) for name, value in model.state_dict().items()}
    given = small.sequences()
    counts = np.bincount(given.track, minlength=small.TRACKS)
    embedded = counts >= small.WEIGHT.min_playlists
    plain = np.zeros((small.TRACKS, 8))
    plain[embedded] = state["track"]
    artists = state["artist"].copy()
    if len(state["genre"]):
        for edge in small.GENRES.itertuples():
            artists[edge.artist_index] += edge.share * state["genre"][edge.genre_index]
    for track, artist in enumerate(small.ARTIST_OF):
        if artist >= 0:
            plain[track] += artists[artist]
    weights = np.zeros((small.TRACKS, small.TRACKS))
    for edge in small.tables(given)[1].itertuples():
        weights[edge.track_index, edge.neighbour] = edge.weight
    return plain, plain + state["propagation_weight"] * weights @ plain


def dense_playlist(model: PlaylistGAT, vectors: np.ndarray) -> np.ndarray:
    """The unit vector of a playlist whose last tracks, the last one first, have these full vectors."""
    state = {name: value.detach().numpy().astype(np.float64) for name, value in model.state_dict().items()}
    heads, size = model.heads, vectors.shape[1] // model.heads
    mean = vectors.mean(axis=0)
    whole = np.zeros(vectors.shape[1])
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        logits = vectors[:, part] @ state["attention"][0, part] + mean[part] @ state["attention"][1, part]
        logits = np.where(logits > 0, logits, 0.2 * logits) + state["gate"][: len(vectors), head]
        share = np.exp(logits) / np.exp(logits).sum()
        whole[part] = share @ vectors[:, part]
    whole = whole @ state["query"]
    return whole / np.linalg.norm(whole)


@pytest.mark.parametrize("genres", [True, False])
def test_tracks_are_their_own_their_artist_s_and_their_neighbours_vectors(*, genres: bool) -> None:
    model = small.network(small.sequences(), genres=genres)
    with torch.no_grad():
        found = model.all_tracks()
    for vectors, expected in zip(found, dense_tracks(model), strict=True):
        np.testing.assert_allclose(vectors, expected, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 4])
def test_a_playlist_is_its_last_tracks_under_gated_attention(heads: int) -> None:
    model = small.network(small.sequences(), heads=heads)
    _, full = dense_tracks(model)
    lists = [[3], [5, 1, 9], [2, 4, 6, 8, 10, 12, 14, 16]]
    given = sequences_from([np.array(each) for each in lists], small.TRACKS)
    with torch.no_grad():
        scores = Completer(model, None).scores(given, np.arange(3)).numpy()
    counts = np.bincount(small.sequences().track, minlength=small.TRACKS)
    bias = model.popularity.detach().numpy()[np.floor(np.log2(np.maximum(counts, 1))).astype(int)]
    units = full / np.maximum(np.linalg.norm(full, axis=1, keepdims=True), 1e-12)
    for row, own in enumerate(lists):
        expected = units @ dense_playlist(model, full[own[::-1][:6]]) + bias
        np.testing.assert_allclose(scores[row, counts > 0], expected[counts > 0], atol=1e-5)
        assert (scores[row, counts == 0] < -50).all(), "a track that no training playlist has comes last"


def test_the_order_of_a_playlist_matters_and_only_its_last_tracks_do() -> None:
    model = small.network(small.sequences())
    lists = [
        np.array([1, 2, 3]),
        np.array([3, 2, 1]),
        np.array([9, 8, 1, 2, 3, 4, 5, 6]),
        np.array([7, 1, 2, 3, 4, 5, 6]),
    ]
    given = sequences_from(lists, small.TRACKS)
    with torch.no_grad():
        scores = Completer(model, None).scores(given, np.arange(4))
    assert (scores[0] - scores[1]).abs().max() > 0.01
    torch.testing.assert_close(scores[2], scores[3])


@pytest.mark.parametrize("loss", ["sampled_softmax", "bpr"])
def test_the_loss_of_a_batch_is_that_of_its_rows(loss: str) -> None:
    given = small.sequences()
    model, loader = small.network(given), small.loader(given, loss)
    batch = loader.of_playlists(np.arange(small.PLAYLISTS), np.random.default_rng(5))
    found = task(loss).loss(model, batch)
    with torch.no_grad():
        plain, _ = model.all_tracks()
        edges = torch.from_numpy(small.edges(batch, loader.graph)).float()
        rows = batch["track"]
        vectors = plain[rows] + model.propagation_weight * edges @ plain
        count, first = len(batch["target_list"]), len(batch["place"])
        lists = [
            torch.from_numpy(dense_playlist(model, vectors[:first][batch["place"] // 6 == n].numpy())).float()
            for n in range(small.PLAYLISTS)
        ]
        units = normalize(vectors[first:], dim=1)
        scores = (torch.stack(lists) @ units.T + model.popularity[batch["step"]]) / 0.2
        total = 0.0
        known = set(zip(*batch["known"].tolist(), strict=True)) if loss == "sampled_softmax" else set()
        for target, playlist in enumerate(batch["target_list"].tolist()):
            positive = scores[playlist, target]
            if loss == "bpr":
                total += -torch.nn.functional.logsigmoid(positive - scores[playlist, count + target])
                continue
            others = [
                scores[playlist, count + place] - chance
                for place, chance in enumerate(batch["log_prob"])
                if (playlist, place) not in known
            ]
            total += torch.logsumexp(torch.stack([positive, *others]), dim=0) - positive
    assert float(found.total.detach()) == pytest.approx(float(total), rel=1e-4)
    assert found.count == count


def test_the_block_of_validation_holds_few_enough_scores_of_any_number_of_tracks() -> None:
    assert [validation_block(tracks) for tracks in (10, 90_000, 240_000, 600_000, 10**9)] == [256, 256, 100, 40, 1]


def test_validation_ranks_as_completing_does() -> None:
    given = small.sequences()
    model = small.network(given)
    lists = [given.track[given.indptr[n] : given.indptr[n + 1]] for n in range(small.PLAYLISTS)]
    rng = np.random.default_rng(4)
    hidden = np.stack([rng.permutation(np.setdiff1d(np.arange(small.TRACKS), own))[:3] for own in lists])
    known = np.repeat(np.arange(small.PLAYLISTS), given.lengths()), given.track
    held = evaluation_set(
        build_graph(known, (small.PLAYLISTS, small.TRACKS)),
        hidden=(np.repeat(np.arange(small.PLAYLISTS), 3), hidden.ravel()),
        known=known,
    )
    blocks = PlaylistBlocks(held, 8, given, model.history)
    with torch.no_grad():
        found = list(task("bpr").predict(model, (blocks[number] for number in range(len(blocks)))))
        ranked = rank_by(Completer(model, None).scorer(given), held, places=small.TRACKS, block=7)
    hits = torch.cat([each["hits"] for each in found]).numpy()[:, : small.TRACKS]
    np.testing.assert_array_equal(hits, ranked.hits)
    assert torch.cat([each["relevant"] for each in found]).tolist() == [3] * small.PLAYLISTS
    assert ranked.hits[:, :10].any(), "or the test shows nothing"


def test_gradients_reach_every_parameter() -> None:
    given = small.sequences()
    model = small.network(given).train()
    batch = small.loader(given).batch(0, 0)
    task("sampled_softmax").loss(model, batch).total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(("artist_weight", "genre_weight"), [(0.0, 0.0), (0.7, 0.0), (0.0, 0.5), (0.7, 0.5)])
def test_the_blend_adds_the_weighted_mean_similarity_and_the_shares(artist_weight: float, genre_weight: float) -> None:
    given = small.sequences()
    model = small.network(given)
    similar = similar_items(given.matrix(), neighbours=5, shrink=1.0)
    counts = np.bincount(given.track, minlength=small.TRACKS)
    genres = genres_of_tracks(small.ARTIST_OF, small.GENRES)
    blend = Neighbourhood(
        3.0,
        2.0,
        0.1,
        artist_weight,
        genre_weight,
        similar.T.tocsr(),
        small.ARTIST_OF,
        counts.astype(np.float32),
        genres,
    )
    playlist = sequences_from([np.array([4, 7, 1])], small.TRACKS)
    with torch.no_grad():
        whole, alone = (Completer(model, each).scores(playlist, np.array([0])) for each in (blend, None))
    weights = np.exp(-np.array([2, 1, 0]) / 2.0) + 0.1
    expected = similar.toarray()[:, [4, 7, 1]] @ weights
    shares = small.GENRES.pivot_table("share", "artist_index", "genre_index", fill_value=0.0)
    for track, artist in enumerate(small.ARTIST_OF):
        if artist >= 0:
            share = weights[small.ARTIST_OF[[4, 7, 1]] == artist].sum() / weights.sum()
            expected[track] += artist_weight * share * counts[track] / counts[artist == small.ARTIST_OF].max()
            own = shares.loc[artist].to_numpy() if artist in shares.index else np.zeros(shares.shape[1])
            of = [
                shares.loc[each].to_numpy() if each in shares.index else 0 * own for each in small.ARTIST_OF[[4, 7, 1]]
            ]
            expected[track] += genre_weight * (weights @ np.stack(of)) @ own / weights.sum()
    np.testing.assert_allclose((whole - alone)[0], 3.0 * expected / weights.sum(), atol=1e-4)


def test_about_sixteen_million_parameters_at_full_size(repository) -> None:  # type: ignore[no-untyped-def]
    """With the tracks and artists that `full` has after its data stages (benchmarks/playlists/results/quality.json)."""
    content = Document(repository / "params.yaml").content["playlists"]["train"]["network"]
    dim = Document(repository / "presets/playlists/full.yaml").content["train"]["network"]["embedding_dim"]
    network = (
        Params.model_fields["train"]
        .annotation.model_fields["network"]
        .annotation.model_validate(content | {"embedding_dim": dim})
    )  # type: ignore[union-attr]
    with torch.device("meta"):
        model = PlaylistGAT(
            tracks=198_661, embeddings=133_312, artists=26_627, genres=12, genres_per_artist=3, neighbours=32,
            embedding_dim=dim, heads=network.heads, history=network.history, temperature=0.1, dropout=0.0,
            without=[], convolution="own",
        )  # fmt: skip
    assert sum(parameter.numel() for parameter in model.parameters()) == pytest.approx(16e6, rel=0.1)


def test_popularity_steps() -> None:
    assert popularity_step(np.array([0, 1, 2, 3, 4, 7, 8, 40_000, 1e9], dtype=np.float32)).tolist() == [
        0, 0, 1, 1, 2, 2, 3, 15, 15,
    ]  # fmt: skip


def test_an_empty_place_is_no_track() -> None:
    """A playlist shorter than the history is not changed by its padding."""
    model = small.network(small.sequences())
    with torch.no_grad():
        _, vectors = model.all_tracks()
        short = encode_lists(model, vectors, torch.tensor([[4, 2]]))
        padded = encode_lists(model, vectors, torch.tensor([[4, 2, -1, -1, -1]]))
    torch.testing.assert_close(short, padded)


def test_the_gates_of_a_new_network_are_item_knn_s_recency() -> None:
    sizes = {"embedding_dim": 8, "heads": 2, "history": 6, "temperature": 0.2, "dropout": 0.0}
    options = Network.model_validate(sizes | {"without": [], "convolution": "own"})
    model = build_model(options, small.graph(small.sequences()), small.GENRES, small.ARTISTS)
    given = torch.ones(1, 4, 8)
    with torch.no_grad():
        found = model.attend(given, torch.ones(1, 4, dtype=torch.bool))[0]
    expected = np.array([1.1, 0.91873, 0.77032, 0.64881])  # exp(-n / 5) + 0.1
    np.testing.assert_allclose(found, np.stack([expected / expected.sum()] * 2, axis=1), atol=1e-4)
