"""Why a track completes a playlist: the effect of its artist and of a genre is what the score loses."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from tests.library.domains.playlists import small
from winnow.domains.playlists.model.completion import Completer, Neighbourhood, genres_of_tracks
from winnow.domains.playlists.model.explanations import CompletionExplainer, explain
from winnow.domains.playlists.model.network import PlaylistGAT, encode_lists
from winnow.domains.playlists.params import Evaluate
from winnow.recommend.cooccurrence import similar_items
from winnow.recommend.explanations import Reason
from winnow.recommend.ranking import Ranking


def completer_without(model: PlaylistGAT, blend: Neighbourhood, track: int, reason: Reason) -> Completer:
    """In a graph in which the track has an artist of its own, without that artist's vector, or without the genre."""
    artist = int(model.artist_of[track])
    changed = copy.deepcopy(model)
    vector, share = model.artist[artist].clone(), model.genre_share[artist].clone()
    if reason.kind == "artist":
        vector[:] = 0
        near = replace(blend, artist=np.where(np.arange(small.TRACKS) == track, len(model.artist), blend.artist))
    else:
        share[model.genre_of[artist] == reason.index] = 0
        own = small.GENRES.assign(artist_index=small.GENRES["artist_index"])
        left = own[(own["artist_index"] == artist) & (own["genre_index"] != reason.index)]
        edges = pd.concat([own, left.assign(artist_index=len(model.artist))])
        artists = np.where(np.arange(small.TRACKS) == track, len(model.artist), small.ARTIST_OF)
        near = replace(blend, genres=genres_of_tracks(artists, edges))
    changed.artist = nn.Parameter(torch.cat([model.artist, vector[None]]))
    changed.genre_of = torch.cat([model.genre_of, model.genre_of[[artist]]])
    changed.genre_share = torch.cat([model.genre_share, share[None]])
    changed.artist_of = torch.where(torch.arange(small.TRACKS) == track, len(model.artist), model.artist_of)
    return Completer(changed, near)


@torch.no_grad()
def test_without_its_artist_or_a_genre_a_track_scores_less_by_the_effect() -> None:
    given = small.sequences()
    model = small.network(given)
    similar = similar_items(given.matrix(), neighbours=5, shrink=1.0).T.tocsr()
    counts = np.bincount(given.track, minlength=small.TRACKS).astype(np.float32)
    genres = genres_of_tracks(small.ARTIST_OF, small.GENRES)
    blend = Neighbourhood(3.0, 2.0, 0.1, 0.7, 0.4, similar, small.ARTIST_OF, counts, genres)
    completer = Completer(model, blend)
    explainer = CompletionExplainer(completer, given)
    counted, walked = set(), 0
    for playlist in range(5):
        one = np.array([playlist])
        vector = encode_lists(model, completer.vectors, torch.from_numpy(given.last(one, model.history)))[0]
        own = given.track[given.indptr[playlist] : given.indptr[playlist + 1]]
        for track in np.setdiff1d(np.flatnonzero(small.ARTIST_OF >= 0), own)[:8].tolist():
            whole = explainer.score(playlist, track)
            artist = int(small.ARTIST_OF[track])
            for reason in (each for each in explainer.reasons(playlist, track) if each.kind != "track"):
                other = completer_without(model, blend, track, reason)
                left = float(other.scores(given, one)[0, track])
                assert explainer.score_without(playlist, track, reason) == pytest.approx(left, abs=1e-4)
                share = small.GENRES.query(f"artist_index == {artist} and genre_index == {reason.index}").share.sum()
                part = model.artist[artist] if reason.kind == "artist" else float(share) * model.genre[reason.index]
                alone = vector @ normalize(completer.vectors[track] - part, dim=0) + completer.bias[track]
                near, other_near = (each.scores(given, one)[0, track] for each in (blend, other.blend))
                assert reason.effect == pytest.approx(whole - float(alone) - other_near, abs=1e-4)
                walked += abs(left - float(alone) - other_near) > 1e-3
                if near - other_near > 0.01:
                    counted.add(reason.kind)
    assert counted == {"artist", "genre"}, "some playlists have other tracks of the artist and of the genre"
    assert walked, "the track is a neighbour of tracks of some playlist, or the check is true by construction"


@torch.no_grad()
def test_tracks_without_an_artist_have_none_in_common() -> None:
    given = small.sequences()
    model = small.network(given)
    similar = similar_items(given.matrix(), neighbours=5, shrink=1.0).T.tocsr()
    counts = np.bincount(given.track, minlength=small.TRACKS).astype(np.float32)
    blend = Neighbourhood(
        3.0, 2.0, 0.1, 0.7, 0.0, similar, small.ARTIST_OF, counts, genres_of_tracks(small.ARTIST_OF, small.GENRES)
    )
    nameless = np.flatnonzero(small.ARTIST_OF < 0)
    compared = 0
    for playlist in range(len(given)):
        own = given.track[given.indptr[playlist] : given.indptr[playlist + 1]]
        for track in np.setdiff1d(nameless, own).tolist() if np.isin(nameless, own).any() else ():
            found, plain = (
                {
                    each.index: each.effect
                    for each in CompletionExplainer(Completer(model, near), given).reasons(playlist, track)
                }
                for near in (blend, replace(blend, artist_weight=0.0))
            )
            assert found == pytest.approx(plain, abs=1e-6)
            compared += 1
    assert compared


@torch.no_grad()
def test_an_empty_place_of_a_list_is_no_track() -> None:
    given = small.sequences()
    explainer = CompletionExplainer(Completer(small.network(given), None), given)
    lists, none = np.array([[17, -1, -1]]), np.zeros((1, 3), dtype=bool)
    ranked = Ranking(np.array([3]), lists, none, np.array([1]), np.array([0.5]), none.astype(np.float32))
    tables = {
        "playlists": pd.DataFrame({"name": [""] * small.PLAYLISTS}),
        "tracks": pd.DataFrame({"title": [f"t{n}" for n in range(small.TRACKS)], "artist_index": small.ARTIST_OF}),
        "artists": pd.DataFrame({"artist": [f"a{n}" for n in range(small.ARTISTS)]}),
        "genres": pd.DataFrame({"genre": list("abc")}),
    }
    params = Evaluate.model_construct(explained_playlists=1, explained_tracks=3, reasons=2)
    completed = explain(explainer, ranked, tables, params, np.random.default_rng(0))
    assert set(completed["track"]) == {"a0 – t17"}
    assert completed["place"].tolist() == [1, 1]
