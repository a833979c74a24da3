"""What benchmarks keep of their earlier runs."""

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import ROOT


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that benchmarks share, writing to the temporary folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = importlib.import_module("measure")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


def test_a_row_is_replaced_by_a_new_one_and_never_by_nothing(measure: Any, tmp_path: Path) -> None:
    measure.merge("some", {"a": {"seconds": 1}, "b": {"seconds": 2}, "zero": 0})
    measure.merge("some", {"a": {}, "b": {"seconds": 3}, "c": [1], "zero": 0.0})
    assert json.loads((tmp_path / "some.json").read_text()) == {
        "a": {"seconds": 1}, "b": {"seconds": 3}, "c": [1], "zero": 0.0
    }  # fmt: skip


def test_the_comparison_of_two_models_of_sessions_is_of_the_users_both_served(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quality = importlib.import_module("sessions_quality")
    monkeypatch.setattr(quality, "USERS", tmp_path / "users.npz")
    for row, users, recall in (("gat", [0, 2, 5], 0.1), ("genre_gat", [0, 1, 2, 5], 0.4)):
        ranked = pd.DataFrame({"recommender": "model", "cold": False, "user_index": users, "recall_at_10": recall})
        others = ranked.assign(recommender="ease", recall_at_10=0.9)
        quality.keep_users(row, pd.concat([others, ranked]).assign(diversity=[np.nan, *range(2 * len(users) - 1)]))
    before = (tmp_path / "users.npz").read_bytes()
    found = quality.compare()
    assert set(found) == {"recall_at_10", "diversity"}
    assert found["recall_at_10"]["users"] == 3
    assert found["recall_at_10"] == pytest.approx({"mean": 0.3, "low": 0.3, "high": 0.3, "users": 3})
    quality.keep_users("gat seed 2", ranked)
    assert (tmp_path / "users.npz").read_bytes() == before
