"""What the ledger of runs answers."""

import json
from pathlib import Path

import pytest

from winnow.pipeline.ledger import entry, latest_seconds


def test_the_seconds_of_the_last_success_over_all_ledgers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert latest_seconds() == {}
    with pytest.raises(RuntimeError), entry("plot@climb"):
        raise RuntimeError
    with entry("split@climb"):
        pass
    assert list(latest_seconds()) == ["split@climb"]
    lines = [
        {"stage": "train@climb", "outcome": "done", "began": "2026-01-02T00:00:00Z", "seconds": 2.0},
        {"stage": "train@climb", "outcome": "done", "began": "2026-01-01T00:00:00Z", "seconds": 1.0},
        {"stage": "train@climb", "outcome": "failed", "began": "2026-01-03T00:00:00Z", "seconds": 3.0},
    ]
    other = "".join(json.dumps(line) + "\n" for line in lines)
    Path(".winnow/ledger-climb.jsonl").write_text(other + other[:20])  # killed while it was written
    assert latest_seconds()["train@climb"] == 2.0
    assert set(latest_seconds()) == {"split@climb", "train@climb"}
