"""The pictures of playlists."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from winnow.domains.playlists import definitions
from winnow.domains.playlists.view.comparison import recall_at_cutoffs
from winnow.domains.playlists.view.completed import completed_sheet
from winnow.show.figures import save_png


@pytest.mark.parametrize("name", ["A$AP – Ke$ha", r"$ – \frac{$", "$ % ^ # $"])
def test_dollars_in_names_are_letters(tmp_path: Path, name: str) -> None:
    """Matplotlib reads what stands between two of them as a formula, and stops at one that it cannot read."""
    row = {
        "playlist": f"3 {name}", "given": name, "place": 1, "track": name, "found": True, "score": 1.0, "kind": "track",
        "reason": name, "effect": 0.1,
    }  # fmt: skip
    figure = completed_sheet(pd.DataFrame([row]), 1)
    save_png(figure, tmp_path / "sheet.png", 40)
    assert not any(text.get_parse_math() for text in figure.axes[0].texts)


def test_the_sheet_shows_so_many_playlists_their_first_reasons_and_ticks_what_was_found() -> None:
    rows = [
        (f"{playlist} list", "a · b", place, f"track {playlist}{place}", place == 2, "artist", reason, effect)
        for playlist in (4, 7, 9)
        for place in (1, 2)
        for reason, effect in (("first", 0.5), ("second", 0.1))
    ]
    columns = ["playlist", "given", "place", "track", "found", "kind", "reason", "effect"]
    figure = completed_sheet(pd.DataFrame(rows, columns=columns), 2)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if "track" in text] == [
        "1. track 41", "2. track 42  ✓", "1. track 71", "2. track 72  ✓"
    ]  # fmt: skip
    assert [text for text in texts if "list:" in text] == ["4 list:  … a · b", "7 list:  … a · b"]
    reasons = [text for text in texts if "(+" in text]
    assert len(reasons) == 4
    assert all("first (+0.500)" in text for text in reasons)


def test_recall_is_shown_over_all_tracks_and_over_those_seen_in_training() -> None:
    rng = np.random.default_rng(0)
    columns = [f"{part}recall_at_{k}" for part in ("", "seen_") for k in definitions.CUTOFFS]
    ranked = pd.DataFrame(rng.random((20, len(columns))), columns=columns).assign(recommender=["model", "ease"] * 10)
    ranked.loc[:3, columns[len(columns) // 2 :]] = np.nan  # playlists of which no held-out track was seen
    left, right = recall_at_cutoffs(ranked).axes
    for axes, names in ((left, columns[: len(columns) // 2]), (right, columns[len(columns) // 2 :])):
        lines = {str(line.get_label()): line.get_ydata() for line in axes.get_lines()}
        for name in ("model", "ease"):
            expected = ranked.loc[ranked["recommender"] == name, names].mean()
            assert lines[name] == pytest.approx(expected.to_numpy())
