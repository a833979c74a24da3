"""How much item-kNN counts beside the network, and what the scores mean then."""

import numpy as np
import pytest
import torch

from tests.library.domains.playlists import small
from winnow.domains.playlists.model import completion
from winnow.domains.playlists.model.completion import Completer, choose_blend
from winnow.domains.playlists.params import Blend
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.graph import build_graph
from winnow.recommend.ranking import Ranking, rank_by

OPTIONS = {"neighbours": 5, "shrink": 1.0, "decay": 2.0, "floor": 0.1, "artist_weight": 0.7, "genre_weight": 0.4}


@torch.no_grad()
@pytest.mark.parametrize("weights", [[0.0, 2.0, 50.0], [50.0, 2.0, 0.0], [2.0, 50.0, 0.0], [2.0, 0.0, 50.0]])
def test_the_weight_that_finds_most_is_taken_and_the_chances_are_of_its_lists(
    weights: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each weight alone, then all: the best one's lists are those that chances are fitted to."""
    given = small.sequences()
    model = small.network(given)
    rng = np.random.default_rng(5)
    owner = np.repeat(np.arange(len(given)), given.lengths())
    held = rng.permutation(small.TRACKS * len(given))
    held = held[~np.isin(held, owner * small.TRACKS + given.track)][:80]
    graph = build_graph((owner, given.track), (len(given), small.TRACKS))
    val = evaluation_set(graph, hidden=(held // small.TRACKS, held % small.TRACKS), known=(owner, given.track))
    fitted: list[Ranking] = []
    monkeypatch.setattr(completion, "fit_chances", fitted.append)
    monkeypatch.setattr(completion, "CHOSEN_AT", 5)

    def chosen(*some: float) -> float:
        blend, _ = choose_blend(
            model,
            given,
            val,
            small.GENRES,
            Blend.model_validate({"weights": [*some], "distance": None} | OPTIONS),
            block=7,
        )
        return blend.weight

    recalls = {}
    for weight in weights:
        assert chosen(weight) == weight
        recalls[weight] = (fitted[-1].hits[:, :5].sum(axis=1) / fitted[-1].relevant).mean()
    alone = dict(zip(weights, fitted, strict=True))
    best = max(weights, key=lambda weight: recalls[weight])
    assert chosen(*weights) == best
    np.testing.assert_array_equal(fitted[-1].lists, alone[best].lists)
    others = [weight for weight in weights if weight != best]
    assert all((alone[weight].lists != alone[best].lists).any() for weight in others)
    plain = rank_by(Completer(model, None).scorer(given), val, places=alone[0.0].lists.shape[1], block=7)
    np.testing.assert_array_equal(alone[0.0].lists, plain.lists)
