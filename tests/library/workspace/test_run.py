"""What a kill leaves behind in DVC's folder, and what is not to be touched."""

import io
import json
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.library.compare.conftest import git
from winnow.pipeline.errors import WinnowError
from winnow.workspace.run import BEFORE, LOCK, RWLOCK, _Runs, repair_locks, results_table, run_domains


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


def test_a_lock_that_was_cut_off_is_brought_back_and_one_that_git_brought_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    fewer = "schema: '2.0'\nstages:\n  filter@climb:\n    cmd: a\n"
    more = f"{fewer}  filter@tides:\n    cmd: a\n"
    LOCK.write_text(fewer)
    git("add", "dvc.lock")
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "of one domain")
    BEFORE.parent.mkdir(parents=True)
    for left, expected in ((fewer, fewer), (more[:-12], more), ("", more)):
        BEFORE.write_text(more)  # of a run of two domains, that was killed
        LOCK.write_text(left)
        repair_locks()
        assert LOCK.read_text() == expected, left
        assert ("was cut off" in capsys.readouterr().err) == (expected == more)


def test_the_lock_is_kept_whenever_a_stage_has_ended_and_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    BEFORE.parent.mkdir(parents=True)
    runs = _Runs(5, io.StringIO())
    runs.keep_lock()
    assert not BEFORE.exists(), "there is no lock yet"
    first = "schema: '2.0'\nstages:\n  filter@climb:\n    cmd: a\n"
    second = f"{first}  filter@tides:\n    cmd: a\n"
    written = [(first, first), (second, second), (second[:-12], second), (first, second), (f"{second}# b\n", None)]
    for moment, (lock, kept) in enumerate(written, start=1):
        LOCK.write_text(lock)
        os.utime(LOCK, ns=(moment, moment))
        runs.keep_lock()
        assert BEFORE.read_text() == (kept or lock), lock


@pytest.mark.parametrize("end", ["exit 1", "kill -KILL $$", "kill -TERM $$"])
def test_a_domain_whose_dvc_fails_or_is_killed_is_named_after_the_others_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.chdir(tmp_path)
    BEFORE.parent.mkdir(parents=True)
    dvc = f'case "$*" in *tides*) {end};; *lakes*) echo "Running stage";; esac'
    monkeypatch.setattr("winnow.workspace.run.REPRO", ("sh", "-c", dvc, "dvc"))
    shown, out = [], io.StringIO()
    with pytest.raises(WinnowError) as raised:
        run_domains(["tides", "lakes"], 1, lambda: shown.append("results"), out)
    assert raised.value.what == "1 of 2 domains failed: tides"
    assert raised.value.fix is not None
    assert "`winnow run tides`" in raised.value.fix
    assert shown == ["results"]
    assert out.getvalue() == "lakes │ Running stage\n"
    run_domains(["lakes"], 1, lambda: shown.append("again"), out)
    assert shown == ["results", "again"]


@pytest.mark.parametrize(
    ("verdict", "expected", "sources", "told"),
    [
        ("PASS", None, [], "yes"),
        ("REVIEW", None, [], "no: the best one is, this is worse"),
        ("REVIEW", "REVIEW", [], "yes: few rows"),
        ("FAIL", "REVIEW", [], "no: REVIEW is, this is worse"),
        ("PASS", "REVIEW", [], "no: REVIEW is, this is better"),
        ("FAIL", "REVIEW", [{"path": "own.csv"}], "(own data)"),
    ],
)
def test_the_table_tells_whether_a_verdict_was_expected_of_the_embedded_data(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    verdict: str,
    expected: str | None,
    sources: list[object],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("metrics/climb").mkdir(parents=True)
    found = {"verdict": verdict, "mae": 0.5, "mae_low": 0.4, "mae_high": 0.6, "mae_baseline": 0.7}
    Path("metrics/climb/evaluate.json").write_text(json.dumps(found))
    Path("metrics/climb/judgement.json").write_text(json.dumps({"baseline": {"trees": {"mae": 0.7}}}))
    gate = {"expected": expected and {"verdict": expected, "reason": "few rows"}}
    params = {"climb": {"ingest": {"sources": sources}, "evaluate": {"gate": gate}}}
    (row,) = (line for line in results_table(["climb"], params).splitlines() if line.startswith("climb"))
    assert row.endswith(f"  {told}")
