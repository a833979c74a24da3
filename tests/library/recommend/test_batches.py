"""Batches of users, and their negatives."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tests.library.recommend import small
from winnow.learn.samplers import BatchShare
from winnow.recommend.batches import UserLoader
from winnow.recommend.graph import Graph, build_graph
from winnow.recommend.negatives import NegativeSampler


def loader(hidden_share: float = 0.5, batch_size: int = 60, count: int = 25, graph: Graph | None = None) -> UserLoader:
    graph = graph or small.graph()
    frequency = np.bincount(graph.item.numpy(), minlength=small.ITEMS) ** 0.75
    negatives = NegativeSampler(frequency / frequency.sum(), graph)
    weights = np.arange(len(graph.item), dtype=np.float32) + 1
    share = BatchShare(batch_size, 1, 1, 0)
    return UserLoader(graph, weights, negatives, share, shared_negatives=count, hidden_share=hidden_share)


def epoch(batches: UserLoader, seed: int) -> list[dict[str, torch.Tensor]]:
    return [batches.batch(seed, index) for index in range(len(batches.sampler))]


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0))
def test_of_every_user_something_is_hidden_and_something_left(seed: int, hidden_share: float) -> None:
    graph = small.graph()
    seen = []
    for batch in epoch(loader(hidden_share), seed):
        ids, keep = batch["ids"], batch["keep"]
        left = torch.zeros(small.USERS).index_add(0, graph.user, keep)[ids]
        count = torch.bincount(graph.user, minlength=small.USERS)[ids]
        assert (left >= 1).all()
        assert (left < count).all()
        others = ~torch.isin(graph.user, ids)
        assert keep[others].all()
        found = set(zip(ids[batch["row"]].tolist(), batch["item"].tolist(), strict=True))
        hidden = keep == 0
        assert found == set(zip(graph.user[hidden].tolist(), graph.item[hidden].tolist(), strict=True))
        assert sorted(batch["weight"].tolist()) == (torch.nonzero(hidden)[:, 0] + 1).tolist()
        seen += ids.tolist()
    assert sorted(seen) == list(range(small.USERS))


@pytest.mark.parametrize("hidden_share", [0.1, 0.5, 0.8])
def test_as_large_a_share_is_hidden_as_is_asked_for(hidden_share: float) -> None:
    """But for the one of each user that always is, and the one that never is."""
    batches = loader(hidden_share)
    found = sum(len(batch["item"]) for seed in range(100) for batch in epoch(batches, seed)) / 100
    expected = 0.0
    for size in torch.bincount(small.graph().user).tolist():
        counts = np.arange(size + 1)
        expected += np.clip(counts, 1, size - 1) @ binom.pmf(counts, size, hidden_share)
    assert found == pytest.approx(expected, rel=0.04)


def test_a_user_with_a_single_item_is_in_no_batch() -> None:
    """One hidden and one left makes two."""
    users, items = small.pairs()
    kept = (users != 3) & (users != 5) | (items == 0)
    graph = build_graph((users[kept & (users != 8)], items[kept & (users != 8)]), (small.USERS, small.ITEMS))
    ids = [each for batch in epoch(loader(graph=graph), 0) for each in batch["ids"].tolist()]
    assert sorted(ids) == [user for user in range(small.USERS) if user not in (3, 5, 8)]


@given(st.integers(0, 2**32 - 1))
def test_no_negative_is_an_item_the_user_has(seed: int) -> None:
    graph = small.graph()
    known = set(zip(graph.user.tolist(), graph.item.tolist(), strict=True))
    for batch in epoch(loader(), seed):
        shared = batch["shared"].tolist()
        listed = {(int(row), shared[place]) for row, place in batch["known"].T.tolist()}
        users = batch["ids"].tolist()
        assert listed == {(row, item) for row, user in enumerate(users) for item in shared if (user, item) in known}
        drawn = zip(batch["ids"][batch["row"]].tolist(), batch["negative"].tolist(), strict=True)
        assert np.mean([pair in known for pair in drawn]) < 0.2


def test_a_batch_does_not_depend_on_those_made_before() -> None:
    whole, again = epoch(loader(), 9), loader()
    for index in (2, 0):
        other = again.batch(9, index)
        assert all(torch.equal(whole[index][name], other[name]) for name in other)
    assert not torch.equal(whole[0]["ids"], again.batch(10, 0)["ids"])


def test_the_chance_of_being_drawn_is_what_happens() -> None:
    batches = [batch for seed in range(200) for batch in epoch(loader(), seed)]
    chance = np.zeros(small.ITEMS)
    for batch in batches:
        chance[batch["shared"].numpy()] = np.exp(batch["log_prob"].numpy())
    drawn = np.bincount(np.concatenate([batch["shared"] for batch in batches]), minlength=small.ITEMS) / len(batches)
    np.testing.assert_allclose(drawn, chance, atol=0.06)
