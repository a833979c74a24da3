"""The pictures of sessions."""

from pathlib import Path

import pandas as pd

from winnow.domains.sessions.view.reasons import explained_sheet
from winnow.show.figures import save_png


def test_dollars_in_names_are_letters(tmp_path: Path) -> None:
    """Matplotlib reads what stands between two of them as a formula, and stops at one that it cannot read."""
    name = "$ % ^ # $"
    row = {
        "user": name, "user_type": "casual", "place": 1, "title": name, "found": True, "kind": "song", "reason": name,
        "effect": 0.1,
    }  # fmt: skip
    save_png(explained_sheet(pd.DataFrame([row]), 1), tmp_path / "sheet.png", 40)
