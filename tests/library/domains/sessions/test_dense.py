"""The network and its losses, against dense formulas."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from tests.library.domains.sessions import small
from tests.library.domains.sessions.dense import Dense
from tests.library.recommend import small as data
from tests.stages.programs import Programs
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.training import RecommenderTask, training_data
from winnow.learn.samplers import BatchShare
from winnow.recommend.batches import UserLoader
from winnow.recommend.negatives import NegativeSampler


def dense_of(model: GraphRecommender, train: np.ndarray) -> Dense:
    state = {name: value.double().numpy() for name, value in model.state_dict().items()}
    return Dense(state, model.genre_weight, model.temperature, model.heads, model.layers, train)


def known() -> np.ndarray:
    matrix = np.zeros((data.USERS, data.ITEMS))
    matrix[data.pairs()] = 1
    return matrix


@torch.no_grad()
@pytest.mark.parametrize("genres", [0, 4])
@pytest.mark.parametrize("learned", [True, False])
def test_scores_are_those_of_dense_matrices(genres: int, learned: bool) -> None:
    model = small.network(genres=genres, learned=learned, layers=3, embeddings=30)
    users, songs, bias = model(data.graph(), small.types())
    dense = dense_of(model, known())
    np.testing.assert_allclose(songs, dense.songs, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(
        users @ songs.T + bias, dense.scores(known(), small.types().numpy()), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("loss", ["bpr", "sampled_softmax"])
@pytest.mark.parametrize("l2", [0.0, 0.05])
@torch.no_grad()
def test_the_loss_of_a_batch_is_the_written_out_sum(loss: str, l2: float) -> None:
    """Over hidden songs: interaction weight × (loss of the pair + l2 × squared lengths of the song and negatives)."""
    graph, model = data.graph(), small.network(genres=4)
    negatives = NegativeSampler(np.full(data.ITEMS, 1 / data.ITEMS), graph)
    weights = np.random.default_rng(0).random(len(graph.item)).astype(np.float32)
    loader = UserLoader(graph, weights, negatives, BatchShare(60, 1, 1, 0), shared_negatives=25, hidden_share=0.4)
    batch = loader.batch(0, 0) | {"graph": graph, "types": small.types()}
    params = SimpleNamespace(loss=loss, l2=l2)
    found = RecommenderTask(None, None, None, params, None).loss(model, batch)  # type: ignore[arg-type]

    vectors, songs, bias = (part.double().numpy() for part in model(graph, small.types(), batch["keep"]))
    weight_of = dict(zip(zip(graph.user.tolist(), graph.item.tolist(), strict=True), weights.tolist(), strict=True))
    total = count = 0.0
    for place, (row, item) in enumerate(zip(batch["row"].tolist(), batch["item"].tolist(), strict=True)):
        user = int(batch["ids"][row])
        score = vectors[user] @ songs.T + bias
        if loss == "bpr":
            other = int(batch["negative"][place])
            each = -np.log(1 / (1 + np.exp(-(score[item] - score[other]))))
            length = (songs[other] ** 2).sum()
        else:
            rivals = [
                np.exp(score[other]) / np.exp(log_prob)
                for other, log_prob in zip(batch["shared"].tolist(), batch["log_prob"].tolist(), strict=True)
                if (user, other) not in weight_of
            ]
            each = -np.log(np.exp(score[item]) / (np.exp(score[item]) + sum(rivals)))
            length = np.mean([(songs[other] ** 2).sum() for other in batch["shared"].tolist()])
        total += weight_of[user, item] * (each + l2 * ((songs[item] ** 2).sum() + length))
        count += weight_of[user, item]
    assert float(found.total) == pytest.approx(total, rel=1e-4)
    assert float(found.count) == pytest.approx(count, rel=1e-5)


@pytest.mark.parametrize(("mode", "sides"), [("advanced", {"train"}), ("simple", {"train", "val"})])
def test_the_training_graph_and_its_weights_are_the_rows_of_the_mode(mode: str, sides: set[str]) -> None:
    users, songs = data.pairs()
    rng = np.random.default_rng(0)
    pairs = pd.DataFrame(
        {
            "user_index": users,
            "song_index": songs,
            "split": np.where(rng.random(len(users)) < 0.2, "val", "train"),
            "weight": rng.random(len(users)),
        }
    ).sample(frac=1, random_state=1)
    unseen = {"select": "last", "early_stopping": {"patience": 0}, "scheduler": {"name": "constant"}}
    params = Programs("sessions").section("train", mode=mode, network={"filter_weight": [0.0]}, **unseen)
    found = training_data(pd.DataFrame({"user_type": ["casual"] * data.USERS}), data.ITEMS, pairs, params)
    learned = pairs[pairs["split"].isin(sides)]
    expected = dict(zip(zip(learned["user_index"], learned["song_index"], strict=True), learned["weight"], strict=True))
    edges = zip(found.graph.user.tolist(), found.graph.item.tolist(), strict=True)
    assert dict(zip(edges, found.weights.tolist(), strict=True)) == pytest.approx(expected)
    hidden = pairs[pairs["split"] == "val"]
    to_find = {(user, song) for user, own in zip(found.val.users, found.val.hidden, strict=True) for song in own}
    assert to_find == set(zip(hidden["user_index"], hidden["song_index"], strict=True))
    trained = pairs[(pairs["split"] == "train") & pairs["user_index"].isin(found.val.users)]
    not_ranked = {(user, song) for user, own in zip(found.val.users, found.val.known, strict=True) for song in own}
    assert not_ranked == set(zip(trained["user_index"], trained["song_index"], strict=True))
