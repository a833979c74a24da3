"""Reasons of recommendations."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.library.domains.sessions import small
from tests.library.domains.sessions.dense import Dense
from tests.library.recommend import small as data
from winnow.domains.sessions.model.artifacts import read_blend, write_blend
from winnow.domains.sessions.model.explanations import SongExplainer, explain
from winnow.domains.sessions.params import Evaluate
from winnow.recommend.baselines import ItemKNN
from winnow.recommend.explanations import check_first_reasons
from winnow.recommend.filters import Blend, GraphFilter, fit_graph_filter
from winnow.recommend.graph import fold_in, matrix_of
from winnow.recommend.ranking import Ranking


def explainer(layers: int, filter_weight: float = 0.0, partner: str = "graph_filter") -> SongExplainer:
    network = small.network(genres=4, layers=layers)
    graph = data.graph()
    alone: GraphFilter | ItemKNN = ItemKNN(matrix_of(graph), neighbours=8, shrink=2.0, asymmetry=0.3)
    if partner == "graph_filter":
        alone = fit_graph_filter(matrix_of(graph), factors=6, alpha=0.3, sharpening=1.0, seed=0)
    blend = Blend(alone, filter_weight) if filter_weight else None
    plain = network.plain_songs()
    songs = network.propagate(network.edge_weights(graph, plain), plain)
    return SongExplainer(network, graph, small.types(), songs, plain, blend)


@torch.no_grad()
@pytest.mark.parametrize(("filter_weight", "partner"), [(0.0, ""), (50.0, "graph_filter"), (50.0, "item_knn")])
def test_an_effect_is_what_the_score_loses(filter_weight: float, partner: str) -> None:
    """With one layer a user's songs do not change each other, and the reason is exact."""
    found = explainer(layers=1, filter_weight=filter_weight, partner=partner)
    network = found.model
    users, songs, bias = network(found.graph, found.types)
    for user, song in ((3, 17), (8, 30)):
        score = float(users[user] @ songs[song] + bias[song])
        if found.blend is not None:
            score += float(found.blend.scores(found.known[[user]])[0, song])
            assert abs(score - float(users[user] @ songs[song] + bias[song])) > 0.1
        reasons = found.reasons(user, song)
        assert {reason.kind for reason in reasons} == {"song", "genre"}
        assert [reason.effect for reason in reasons] == sorted((reason.effect for reason in reasons), reverse=True)
        assert song not in found.graph.items_of(user)
        for reason in reasons[:3] + reasons[-3:]:
            lost = score - found.score_without(user, song, reason)
            assert lost == pytest.approx(reason.effect, abs=1e-4)


@torch.no_grad()
def test_taking_away_the_first_reason_costs_more_than_another() -> None:
    found = explainer(layers=2)
    pairs = [(user, int(song)) for user in range(20) for song in (25, 33)]
    before = found.model.genre_share.clone()
    checks = check_first_reasons(found, pairs, np.random.default_rng(0))
    assert len(checks) == len(pairs)
    assert (checks["fall"] > checks["other_fall"]).mean() >= 0.9
    assert set(checks["kind"]) == {"song", "genre"}
    assert torch.equal(before, found.model.genre_share)


@torch.no_grad()
@pytest.mark.parametrize("genres", [0, 4])
def test_a_user_with_one_song_has_it_as_a_reason(genres: int) -> None:
    network, training = small.network(genres=genres), data.graph()
    plain = network.plain_songs()
    songs = network.propagate(network.edge_weights(training, plain), plain)
    graph = fold_in((np.array([0]), np.array([5])), 1, training)
    found = SongExplainer(network, graph, torch.tensor([1]), songs, plain)
    (reason,) = (reason for reason in found.reasons(0, 9) if reason.kind == "song")
    assert reason.index == 5
    score = float(found.users[0] @ songs[9])
    without = (
        0.0
        if network.user_type is None
        else float(torch.nn.functional.normalize(network.user_type[1], dim=0) / network.temperature @ songs[9])
    )
    assert reason.effect == pytest.approx(score - without, abs=1e-5)


@torch.no_grad()
def test_attention_ranks_songs_by_their_weight_in_the_user_s_vector() -> None:
    """That of dense matrices; genres are no matter of attention."""
    found = explainer(layers=2)
    known = np.zeros((data.USERS, data.ITEMS))
    known[found.graph.user, found.graph.item] = 1
    state = {name: part.double().numpy() for name, part in found.model.state_dict().items()}
    weights = Dense(state, found.model.genre_weight, 0.5, 2, 2, known).weights(known).mean(axis=0)
    for user in (3, 8):
        ranked = found.by_attention(user, found.reasons(user, 30))
        assert {reason.kind for reason in ranked} == {"song"}
        own = weights[user][[reason.index for reason in ranked]]
        assert len(own) == known[user].sum()
        assert (np.diff(own) <= 1e-6).all()


@torch.no_grad()
def test_an_empty_place_of_a_list_is_no_song() -> None:
    found = explainer(layers=2)
    songs = pd.DataFrame({"song": [f"s{n}" for n in range(data.ITEMS)], "title": [f"t{n}" for n in range(data.ITEMS)]})
    users = pd.DataFrame({"user": [f"u{n}" for n in range(data.USERS)], "user_type": "casual"})
    genres = pd.DataFrame({"genre_index": range(4), "genre": list("abcd")})
    lists, none = np.array([[17, -1, -1]]), np.zeros((1, 3), dtype=bool)
    ranked = Ranking(np.array([3]), lists, none, np.array([1]), np.array([0.5]), none.astype(np.float32))
    params = Evaluate.model_construct(explained_users=1, explained_songs=3, reasons=2)
    tables = {"users": users, "songs": songs, "genres": genres}
    reasons = explain(found, ranked, tables, params, np.random.default_rng(0))
    assert set(reasons["song"]) == {"s17"}
    assert len(reasons) == 2


@pytest.mark.parametrize("partner", ["graph_filter", "item_knn"])
def test_a_models_folder_gives_its_blend_back(partner: str, tmp_path: Path) -> None:
    found = explainer(layers=1, filter_weight=3.0, partner=partner)
    write_blend(tmp_path, found.blend, None)
    again = read_blend(tmp_path, found.graph)
    assert found.blend is not None
    assert again is not None
    assert again.weight == 3.0
    assert (again.scores(found.known) == found.blend.scores(found.known)).all()
    assert (again.scores(found.known) != 0).any()
