"""What made dvc.lock is recorded by the programs that DVC starts, and told where it is another."""

import json
import platform
from pathlib import Path

import numpy as np
import pytest

from winnow.pipeline import environment
from winnow.workspace.status import environment_lines


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_programs_that_dvc_starts_record_python_and_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WINNOW_PARENT", raising=False)
    environment.record()
    assert not environment.FILE.exists(), "a person's own run makes no dvc.lock"
    monkeypatch.setenv("WINNOW_PARENT", "1")
    environment.record()
    found = json.loads(environment.FILE.read_text())
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert "pytest" not in found
    assert environment_lines() == []
    written = environment.FILE.stat().st_mtime_ns
    environment.record()
    assert environment.FILE.stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["", "[]", "{"])
def test_a_damaged_record_is_written_again(monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    monkeypatch.setenv("WINNOW_PARENT", "1")
    environment.FILE.parent.mkdir()
    environment.FILE.write_text(damage)
    assert environment_lines() == []
    environment.record()
    assert json.loads(environment.FILE.read_text()) == environment.current()


def test_another_python_and_another_package_are_named() -> None:
    environment.FILE.parent.mkdir()
    made = {**environment.current(), "python": "3.0.0", "numpy": "2.0.0", "gone": "1.0"}
    environment.FILE.write_text(json.dumps(made))
    told = environment_lines()[0]
    assert f"python {platform.python_version()} instead of 3.0.0" in told
    assert f"numpy {np.__version__} instead of 2.0.0" in told
    assert "gone (none) instead of 1.0" in told
    assert "torch" not in told


def test_another_python_alone_asks_for_no_packages() -> None:
    environment.FILE.parent.mkdir()
    environment.FILE.write_text(json.dumps({**environment.current(), "python": "3.0.0"}))
    (told,) = environment_lines()
    assert told.endswith(f": python {platform.python_version()} instead of 3.0.0")
    environment.FILE.write_text(json.dumps({**environment.current(), "numpy": "2.0.0"}))
    assert "make .venv/ready" in environment_lines()[1]
