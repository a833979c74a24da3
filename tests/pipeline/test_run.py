"""`winnow run`: domains side by side give what `dvc repro` gives, after failures and kills too.

DVC and `check` are real.

In place of the other programs a short one writes a hash of all that the stage depends on.
"""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import yaml

from tests.pipeline.conftest import Clone, new_clone, wait_until
from winnow.judge.baselines import strongest
from winnow.pipeline.params import STAGES

DOMAINS = ["climb", "retina"]
RUN = ("winnow", "run", "--jobs", "2")
STAND_IN = """\
import hashlib, json, pathlib, sys, time, yaml

domain, name = sys.argv[1:]
time.sleep(0.1)
if name == "ingest" and pathlib.Path("together").exists():
    pathlib.Path("together", domain).touch()
    ends = time.monotonic() + 60
    while len(list(pathlib.Path("together").iterdir())) < 2:
        if time.monotonic() > ends:
            sys.exit(f"{domain} waited in vain for the other domain to begin")
        time.sleep(0.02)
if pathlib.Path("waits").exists() and pathlib.Path("waits").read_text() == f"{name}@{domain}":
    print(f"{name}@{domain} waits", flush=True)
    time.sleep(60)
if pathlib.Path("fails").exists() and pathlib.Path("fails").read_text() == f"{name}@{domain}":
    sys.exit(f"{name}@{domain} has failed on purpose")
print(f"{name}@{domain} says something", flush=True)
stage = yaml.safe_load(open("dvc.yaml"))["stages"][name]
seen = hashlib.sha256()
for dep in stage["deps"]:
    path = pathlib.Path(dep.replace("${item.domain}", domain))
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        seen.update(file.read_bytes() if file.is_file() else b"")
for kind in ("outs", "metrics", "plots"):
    for out in stage.get(kind, []):
        path = pathlib.Path((out if isinstance(out, str) else next(iter(out))).replace("${item.domain}", domain))
        files = [path] if path.suffix else [path / "made.tsv", path / "model" / "made"]
        for file in files:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps({"made": seen.hexdigest()}))
if name == "evaluate":
    found = {"verdict": "REVIEW", "mae": 0.5, "mae_low": 0.4, "mae_high": 0.6, "mae_baseline": 0.7}
    pathlib.Path("metrics", domain, "evaluate.json").write_text(json.dumps(found))
    baselines = {"constant": {"mae": 0.9}, "trees": {"mae": 0.7}}
    pathlib.Path("metrics", domain, "judgement.json").write_text(json.dumps({"baseline": baselines}))
"""


@pytest.fixture(scope="module")
def unrun(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone of which nothing has run."""
    clone = new_clone(tmp_path_factory.mktemp("unrun") / "clone")
    mine = "data/source/retina/mine.csv"
    (clone.root / mine).write_text("image,level\n")
    clone.override({
        "domains": DOMAINS,
        "climb.evaluate.gate.expected": {"verdict": "REVIEW", "metric": "perplexity", "reason": "few routes"},
        "retina.ingest.sources": [{"format": "aptos", "path": mine, "images": "data/source/retina/images"}],
    })  # fmt: skip
    graph = yaml.safe_load((clone.root / "dvc.yaml").read_text())
    for name in STAGES:
        graph["stages"][name]["cmd"] = f"exec python stand_in.py ${{item.domain}} {name}"
    (clone.root / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False))
    (clone.root / "stand_in.py").write_text(STAND_IN)
    clone.commit("stand-ins")
    return clone


@pytest.fixture
def copy(unrun: Clone, tmp_path: Path) -> Clone:
    """A copy of it, for one test."""
    return copied(unrun, tmp_path / "clone")


@pytest.fixture(scope="module")
def serial(unrun: Clone, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What is locked when all stages run one after another."""
    clone = copied(unrun, tmp_path_factory.mktemp("serial") / "clone")
    clone.run("dvc", "repro", "-q")
    return locked(clone)


def copied(clone: Clone, target: Path) -> Clone:
    shutil.copytree(clone.root, target, symlinks=True)
    return Clone(target)


def locked(clone: Clone) -> dict[str, object]:
    return dict(yaml.safe_load((clone.root / "dvc.lock").read_text())["stages"])


def test_side_by_side_locks_what_one_after_another_locks_and_ends_in_a_table(
    copy: Clone, serial: dict[str, object]
) -> None:
    (copy.root / "together").mkdir()
    told = copy.run(*RUN).stdout.splitlines()
    assert locked(copy) == serial
    said = {domain: [i for i, line in enumerate(told) if f"@{domain} says something" in line] for domain in DOMAINS}
    for domain, numbers in said.items():
        assert [told[i].split("│")[1].split("@")[0].strip() for i in numbers] == list(STAGES)
        assert {told[i].split("│")[0].strip() for i in numbers} == {domain}
    rows = {line.split()[0]: line for line in told if "│" not in line and "mae 0.5 (0.4 to 0.6)" in line}
    assert rows.keys() == set(DOMAINS)
    assert all("REVIEW" in row and "trees 0.7" in row for row in rows.values())
    assert rows["climb"].endswith("yes: few routes")
    assert "own data" in rows["retina"]

    lock = copy.root / "dvc.lock"  # DVC does not write its files atomically
    text = lock.read_text()
    (copy.root / ".winnow/dvc.lock.before").write_text(text)  # as a run that was killed leaves it
    lock.write_text(text[: len(text) // 2])
    (copy.root / ".dvc/tmp/rwlock").write_text('{"read": {')
    repaired = copy.run(*RUN)
    assert "says something" not in repaired.stdout
    assert locked(copy) == serial
    assert not (copy.root / ".winnow/dvc.lock.before").exists()

    lock.unlink()  # by a person who wants it anew, and has not activated the environment
    winnow = shutil.which("winnow")
    assert winnow
    assert "says something" in copy.run("env", "PYTHONPATH=src", "PATH=/usr/bin:/bin", winnow, *RUN[1:], "climb").stdout


@pytest.mark.parametrize("left", ["", "schema: '2.0'\nstages:\n  check:\n    cmd: exec env WINNOW_PAR"])
def test_a_first_run_killed_while_dvc_writes_its_lock_keeps_what_had_ended(
    copy: Clone, serial: dict[str, object], left: str
) -> None:
    (copy.root / "waits").write_text("split@climb")
    running = copy.start("env", "PYTHONPATH=src", *RUN, "climb")
    wait_until(lambda: "split@climb waits" in copy.output(), "the fourth stage")
    copy.kill_all(running)
    (copy.root / "waits").unlink()
    (copy.root / "dvc.lock").write_text(left)
    told = copy.run(*RUN).stdout
    assert {f"{stage}@climb" for stage in STAGES if f"{stage}@climb says" in told} == {
        f"{stage}@climb" for stage in STAGES[STAGES.index("split") :]
    }
    assert locked(copy) == serial


@pytest.mark.parametrize("content", ["stages: [", "", "schema: '2.0'\nstages: 1\n"])
def test_a_lock_that_cannot_be_read_is_named_with_its_cure(copy: Clone, content: str) -> None:
    (copy.root / "dvc.lock").write_text(content)
    done = copy.run(*RUN, expect=1)
    assert "dvc.lock is empty or damaged" in done.stderr
    assert "git checkout dvc.lock" in done.stderr
    assert "params.yaml" not in done.stdout + done.stderr


def test_what_dvc_refuses_is_shown(copy: Clone) -> None:
    (copy.root / ".dvc/config").write_text("[core]\n    no_such_option = 1\n")
    done = copy.run(*RUN, expect=1)
    assert "no_such_option" in done.stdout + done.stderr


def test_a_domain_that_fails_stops_no_other(copy: Clone, serial: dict[str, object]) -> None:
    (copy.root / "fails").write_text("split@retina")
    done = copy.run(*RUN, expect=1)
    assert "split@retina has failed on purpose" in done.stdout
    assert "retina" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert locked(copy) == {name: made for name, made in serial.items() if name in locked(copy)}
    assert {name for name in serial if name not in locked(copy)} == {
        f"{name}@retina" for name in ("split", "weight", "train", "evaluate", "plot")
    }
    (copy.root / "fails").unlink()
    assert "climb says" not in copy.run(*RUN, "retina").stdout
    assert locked(copy) == serial


def test_a_mistake_in_the_params_runs_nothing(copy: Clone) -> None:
    copy.override({"retina.split.val_share": 2.0})
    done = copy.run(*RUN, expect=1)
    assert "retina.split" in done.stdout + done.stderr
    assert "says something" not in done.stdout
    assert not (copy.root / "data/climb").exists()


@pytest.mark.parametrize("seconds", [4.0, *(pytest.param(0.5 * step, marks=pytest.mark.long) for step in range(2, 24))])
def test_all_killed_at_a_moment_and_run_again(copy: Clone, serial: dict[str, object], seconds: float) -> None:
    running = copy.start("env", "PYTHONPATH=src", *RUN)
    time.sleep(seconds)
    copy.kill_all(running)
    copy.run(*RUN)
    assert locked(copy) == serial


def test_ctrl_c_stops_all(copy: Clone) -> None:
    running = copy.start("env", "PYTHONPATH=src", "winnow", "run", "--jobs", "1")
    wait_until(lambda: "filter@climb says" in copy.output(), "the second stage")
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(60) != 0
    before = copy.output()
    time.sleep(1)
    assert copy.output() == before
    assert "retina" not in before, "a domain was started after Ctrl+C"
    assert not [line for line in before.splitlines() if "Traceback" in line and "│" not in line], before


def test_the_real_results_are_those_of_the_judgement(finished: Clone) -> None:
    told = finished.run("winnow", "run", "climb").stdout
    judged = json.loads((finished.root / "metrics/climb/judgement.json").read_text())
    name = strongest(judged["baseline"], "perplexity")
    (row,) = (line for line in told.splitlines() if line.startswith("climb ") and "│" not in line)
    low, high = judged["interval"]["perplexity"].values()
    assert judged["verdict"] in row
    assert f"perplexity {judged['model']['perplexity']:.4g} (" in row
    assert sorted([low, high]) == pytest.approx(
        [float(x) for x in row.split("(")[1].split(")")[0].split(" to ")], rel=1e-3
    )
    assert f"{name} {judged['baseline'][name]['perplexity']:.4g}" in row
    as_json = json.loads(finished.run("winnow", "run", "climb", "--json").stdout)  # and all else is on stderr
    assert as_json["climb"]["evaluate"]["perplexity"] == judged["model"]["perplexity"]
    assert as_json["climb"]["evaluate"]["verdict"] == judged["verdict"]
    assert as_json["climb"]["stale"] == {}
