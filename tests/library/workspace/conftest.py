"""A checkout for `winnow init`, in which DVC is asked and does nothing."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from winnow.workspace import own_data


@pytest.fixture
def here(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A checkout to work in, and the paths that DVC was asked to track; the real one is in test_own_data_placed."""
    asked: list[list[str]] = []
    monkeypatch.chdir(workspace)

    def track(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        asked.append([each for each in command if each.startswith("data/")])
        for each in asked[-1]:
            Path(f"{each}.dvc").write_text("outs: []\n")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(own_data.subprocess, "run", track)
    return asked
