"""Why a track completes a playlist: the effect of its artist and of a genre is what the score loses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from tests.library.domains.playlists import small
from winnow.domains.playlists.model.completion import Completer, Neighbourhood
from winnow.domains.playlists.model.explanations import CompletionExplainer
from winnow.domains.playlists.model.network import encode_lists
from winnow.recommend.cooccurrence import similar_items


@torch.no_grad()
def test_without_its_artist_or_a_genre_a_track_scores_less_by_the_effect() -> None:
    given = small.sequences()
    model = small.network(given)
    similar = similar_items(given.matrix(), neighbours=5, shrink=1.0).T.tocsr()
    counts = np.bincount(given.track, minlength=small.TRACKS).astype(np.float32)
    blend = Neighbourhood(3.0, 2.0, 0.1, 0.7, similar, small.ARTIST_OF, counts)
    completer, of_tracks = Completer(model, blend), replace(blend, artist_weight=0.0)
    explainer = CompletionExplainer(completer, given)
    counted = set()
    for playlist in range(5):
        one = np.array([playlist])
        vector = encode_lists(model, completer.vectors, torch.from_numpy(given.last(one, model.history)))[0]
        for track in np.flatnonzero(small.ARTIST_OF >= 0)[:8].tolist():
            whole = explainer.score(playlist, track)
            artist = int(small.ARTIST_OF[track])
            for reason in (each for each in explainer.reasons(playlist, track) if each.kind != "track"):
                share = float(
                    small.GENRES.query(f"artist_index == {artist} and genre_index == {reason.index}").share.sum()
                )
                part, near = (
                    (model.artist[artist], of_tracks)
                    if reason.kind == "artist"
                    else (share * model.genre[reason.index], blend)
                )
                left = vector @ normalize(completer.vectors[track] - part, dim=0) + completer.bias[track]
                expected = float(left) + near.scores(given, one)[0, track]
                assert explainer.score_without(playlist, track, reason) == pytest.approx(expected, abs=1e-4)
                assert reason.effect == pytest.approx(whole - expected, abs=1e-4)
                if blend.scores(given, one)[0, track] - near.scores(given, one)[0, track] > 0.01:
                    counted.add(reason.kind)
    assert counted == {"artist"}, "some playlists have other tracks of the artist"
