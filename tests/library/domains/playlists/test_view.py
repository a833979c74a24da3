"""The pictures of playlists."""

from pathlib import Path

import pandas as pd
import pytest

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
