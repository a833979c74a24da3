"""What a kill leaves behind in DVC's folder, and what is not to be touched."""

import json
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from winnow.workspace.run import RWLOCK, repair_locks


@pytest.fixture
def zombie() -> int:
    """The id of a process that has ended and was not reaped, as after a kill in a container without an init."""
    process = subprocess.Popen(["true"])
    while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    return process.pid


def test_locks_of_dead_processes_are_dropped_and_those_of_living_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zombie: int
) -> None:
    monkeypatch.chdir(tmp_path)
    RWLOCK.parent.mkdir(parents=True)

    def held(*pids: int) -> str:
        return json.dumps({f"data/{pid}": {"write": {"pid": pid, "cmd": "dvc repro"}} for pid in pids})

    for dead in (held(zombie), held(2**22 + 1), held(zombie)[:-3], "{}"):
        RWLOCK.write_text(dead)
        repair_locks()
        assert not RWLOCK.exists(), dead
    RWLOCK.write_text(held(zombie, os.getpid()))
    repair_locks()
    assert RWLOCK.read_text() == held(zombie, os.getpid()), "another DVC runs"
