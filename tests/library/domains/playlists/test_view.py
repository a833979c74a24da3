"""The pictures of playlists."""

import numpy as np
import pandas as pd
import pytest

from tests.library.show.charted import dots
from winnow.domains.playlists import definitions
from winnow.domains.playlists.view.comparison import recall_at_cutoffs, recall_by_length
from winnow.domains.playlists.view.examples import completed_playlists
from winnow.recommend.charts import MEANING


def test_a_playlist_has_a_card_with_its_name_its_last_tracks_and_the_first_reason_of_each_place() -> None:
    rows = [
        (f"{playlist} list", "a · b", place, f"track {playlist}{place}", place == 2, "artist", reason, effect)
        for playlist in (4, 7, 9)
        for place in (1, 2)
        for reason, effect in (("first", 0.5), ("second", 0.1))
    ]
    columns = ["playlist", "given", "place", "track", "found", "kind", "reason", "effect"]
    cards = completed_playlists(pd.DataFrame(rows, columns=columns), 2)
    assert [card.title for card in cards] == ["Playlist 4 list", "Playlist 7 list"]
    assert cards[0].lines == ["Its last tracks: a · b"]
    assert cards[1].table is not None
    assert cards[1].table.rows == [
        ["1", "track 71", "no", "artist: first", "+0.500"],
        ["2", "track 72", "yes", "artist: first", "+0.500"],
    ]


def test_recall_is_shown_over_all_tracks_and_over_those_seen_in_training() -> None:
    rng = np.random.default_rng(0)
    columns = [f"{part}recall_at_{k}" for part in ("", "seen_") for k in definitions.CUTOFFS]
    ranked = pd.DataFrame(rng.random((20, len(columns))), columns=columns).assign(recommender=["model", "ease"] * 10)
    ranked.loc[:3, columns[len(columns) // 2 :]] = np.nan  # playlists of which no held-out track was seen
    left, right = recall_at_cutoffs(ranked).axes
    for axes, names in ((left, columns[: len(columns) // 2]), (right, columns[len(columns) // 2 :])):
        found = dots(axes)
        for name, shown in (("model", MEANING["model"]), ("ease", "ease")):
            expected = ranked.loc[ranked["recommender"] == name, names].mean()
            for k, value in zip(definitions.CUTOFFS, expected, strict=True):
                assert found[shown, f"K = {k}"][0] == pytest.approx(value)


def test_by_length_the_network_alone_is_no_baseline() -> None:
    recall = {"model": 0.5, "network": 0.8, "ease": 0.4}
    rows = [
        {"recommender": name, "length": "1-10", "recall_at_10": value}
        for name, value in recall.items()
        for _ in range(3)
    ]
    (axes,) = recall_by_length(pd.DataFrame(rows)).axes
    heights = {str(bars.get_label()): bars.patches[0].get_height() for bars in axes.containers[1::2]}
    assert heights == pytest.approx({"model": 0.5, "ease": 0.4})
