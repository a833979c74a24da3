"""Full rankings."""

import numpy as np
import pytest
import torch

from tests.library.recommend import small
from winnow.recommend.evaluation_set import EvaluationSet, evaluation_set
from winnow.recommend.ranking import dot_scorer, rank_by, rank_metrics
from winnow.recommend.topk import best_of
from winnow.recommend.validation import UserBlocks, block_hits


def held() -> EvaluationSet:
    users, items = small.pairs(seed=3, share=0.1)
    hidden = items > 2
    return evaluation_set(small.graph(), hidden=(users[hidden], items[hidden]), known=small.pairs())


@pytest.mark.parametrize("places", [3, 20, 60])
def test_lists_are_those_of_sorting_all_items(places: int) -> None:
    generator = torch.Generator().manual_seed(0)
    users, items, bias = (torch.randn(*shape, generator=generator) for shape in ((30, 8), (40, 8), (40,)))
    asked = held()
    found = rank_by(dot_scorer(users, items, bias), asked, places=places, block=7)
    scores = (users @ items.T + bias).numpy()
    assert found.lists.shape == found.hits.shape == (len(asked.users), places)
    for row, user in enumerate(asked.users):
        own = scores[user].copy()
        own[asked.known[row]] = -np.inf
        best = [item for item in np.argsort(-own, kind="stable") if np.isfinite(own[item])]
        listed = [item for item in found.lists[row].tolist() if item >= 0]
        assert listed == best[: len(listed)]
        assert len(listed) == min(places, len(best))
        assert found.hits[row, : len(listed)].tolist() == [item in asked.hidden[row] for item in listed]
        open_items = [item for item in asked.hidden[row] if item in best]
        if open_items:
            assert found.reciprocal_rank[row] == pytest.approx(1 / (1 + min(best.index(item) for item in open_items)))


def test_metrics_are_those_of_the_cutoffs_asked_for() -> None:
    scores = torch.randn(small.USERS, small.ITEMS, generator=torch.Generator().manual_seed(1))
    ranked = rank_by(lambda users: scores[torch.from_numpy(users)].clone(), held(), places=7, block=100)
    found = rank_metrics(ranked, (1, 7))
    assert list(found) == ["recall_at_1", "recall_at_7", "ndcg_at_1", "ndcg_at_7"]
    assert found["recall_at_7"] == pytest.approx(ranked.hits.sum(axis=1) / ranked.relevant)
    assert found["ndcg_at_1"] == pytest.approx(ranked.hits[:, 0].astype(float))


@pytest.mark.parametrize("items", [7, 20, 300, 1001, 6007])
@pytest.mark.parametrize("values", [2, 50, 10**6])
def test_the_best_are_those_of_a_stable_sort(items: int, values: int) -> None:
    """With few different values most are ties, which go by their number."""
    scores = torch.randint(values, (9, items), generator=torch.Generator().manual_seed(items)).float()
    scores[3, ::2] = -torch.inf
    found, numbers = best_of(scores, 20)
    order = np.argsort(-scores.numpy(), axis=1, kind="stable")[:, :20]
    assert (numbers.numpy() == order).all()
    assert torch.equal(found, scores.gather(1, numbers))


@pytest.mark.parametrize("values", [1, 2, 5])
def test_ties_are_no_wins_in_the_reciprocal_rank(values: int) -> None:
    """Equal scores go by the item's number there as in the lists: a recommender that knows nothing has no MRR of 1."""
    scores = torch.randint(values, (small.USERS, small.ITEMS), generator=torch.Generator().manual_seed(2)).float()
    found = rank_by(lambda users: scores[torch.from_numpy(users)], held(), places=small.ITEMS, block=7)
    assert found.hits.any(axis=1).all()
    assert found.reciprocal_rank == pytest.approx(1 / (1 + found.hits.argmax(axis=1)))


def test_the_size_of_a_block_changes_nothing() -> None:
    scores = torch.randn(small.USERS, small.ITEMS)
    lists = [
        rank_by(lambda users: scores[torch.from_numpy(users)], held(), places=20, block=block).lists
        for block in (1, 8, 1000)
    ]
    assert (lists[0] == lists[1]).all()
    assert (lists[0] == lists[2]).all()


@pytest.mark.parametrize("block", [1, 8, 1000])
def test_validation_in_blocks_finds_the_same_hits(block: int) -> None:
    scores = torch.randn(small.USERS, small.ITEMS, generator=torch.Generator().manual_seed(1))
    ranked = rank_by(lambda users: scores[torch.from_numpy(users)].clone(), held(), places=7, block=100)
    batches = UserBlocks(held(), block)
    found = [block_hits(scores[batches[index]["ids"]], batches[index], 7) for index in range(len(batches))]
    assert torch.cat([each["hits"] for each in found]).numpy().tolist() == ranked.hits.tolist()
    assert torch.cat([each["relevant"] for each in found]).tolist() == ranked.relevant.tolist()
