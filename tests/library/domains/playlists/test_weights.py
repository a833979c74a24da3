"""Edges from tracks to tracks, some tracks at a time."""

from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from tests.library.domains.playlists import small
from winnow.domains.playlists.rules import weights


@pytest.mark.parametrize("piece", [1, 40, 10**6])
def test_edges_come_in_pieces_of_whole_tracks_and_are_those_counted_by_hand(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "PIECE", piece)
    given = small.sequences()
    graph = pd.DataFrame(
        {"playlist_index": np.repeat(np.arange(len(given)), given.lengths()), "track_index": given.track}
    )
    sampling = weights.weigh_tracks(small.TRACKS, graph, small.WEIGHT)
    pieces = list(weights.track_edges(graph, sampling, small.WEIGHT))
    assert (len(pieces) > 1) == (piece < small.TRACKS * small.WEIGHT.neighbours)
    found = pd.concat(pieces, ignore_index=True)
    assert sum(each["track_index"].nunique() for each in pieces) == found["track_index"].nunique()
    pairs: Counter[tuple[int, int]] = Counter()
    for _, listed in graph.groupby("playlist_index")["track_index"]:
        for one, other in combinations(listed, 2):
            pairs.update([(one, other), (other, one)])
    listed_in = graph["track_index"].value_counts()
    expected = {}
    for track in range(small.TRACKS):
        near = {
            other: both / (np.sqrt(listed_in[track] * listed_in[other]) + small.WEIGHT.shrink)
            for (one, other), both in pairs.items()
            if one == track and sampling["embedded"][other]
        }
        first = sorted(near, key=lambda other: (-round(near[other], 6), other))[: small.WEIGHT.neighbours]
        expected |= {(track, other): near[other] / sum(near[each] for each in first) for other in first}
    edges = {(row.track_index, row.neighbour): row.weight for row in found.itertuples()}
    assert edges == pytest.approx(expected, rel=1e-5)
    assert [pairs[edge] for edge in edges] == found["together"].tolist()
