"""The pictures of sessions."""

from pathlib import Path

import pandas as pd
import pytest

from winnow.domains.sessions.view.comparison import recall_at_cutoffs, recall_by_user
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


def ranked() -> pd.DataFrame:
    """Recall by recommender and by whether a user is known; the references are ahead of all."""
    recall = {("model", False): 0.5, ("ease", False): 0.4, ("network", False): 0.8, ("truth", False): 0.9}
    recall |= {("model", True): 0.1, ("ease", True): 0.2}
    rows = [
        {"recommender": name, "cold": cold, "user_type": "casual", "history": "1-5"}
        | {f"recall_at_{k}": value for k in (5, 10, 20)}
        for (name, cold), value in recall.items()
        for _ in range(3)
    ]
    return pd.DataFrame(rows)


def test_known_and_cold_start_users_are_drawn_apart() -> None:
    known, cold = recall_at_cutoffs(ranked()).axes
    found = {
        axes.get_title(): {line.get_label(): round(float(line.get_ydata()[0]), 9) for line in axes.get_lines()}
        for axes in (known, cold)
    }
    assert found == {
        "Known users": {"model": 0.5, "ease": 0.4, "network": 0.8, "truth": 0.9},
        "Cold-start users": {"model": 0.1, "ease": 0.2},
    }
    (alone,) = recall_at_cutoffs(ranked()[lambda rows: ~rows["cold"]]).axes
    assert alone.get_title() == "Known users"


def test_by_user_the_model_is_beside_its_best_baseline_over_known_users() -> None:
    """No reference is a baseline."""
    for axes in recall_by_user(ranked()).axes:
        heights = {bars.get_label(): bars.patches[0].get_height() for bars in axes.containers[1::2]}
        assert heights == pytest.approx({"model": 0.5, "ease": 0.4})
