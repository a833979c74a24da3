"""The lines of `winnow status`."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from dvc.repo import Repo

from winnow.compare.revisions import Revision
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import write_json
from winnow.workspace import status
from winnow.workspace.status import as_record, describe, running_lines, stale_rows, stale_stages

MEASURED = {"verdict": "PASS", "mae": 0.5, "mae_low": 0.4, "mae_high": 0.6, "rmse": 0.7}


@pytest.mark.parametrize(
    ("headline", "result"),
    [
        ("mae", "PASS, mae 0.5 (0.4 to 0.6)"),
        ("rmse", "not evaluated"),  # chosen after evaluate, which gives the interval of its own headline alone
        ("ece", "not evaluated"),
    ],
)
def test_a_headline_is_told_with_its_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, headline: str, result: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(Path("metrics/documents/evaluate.json"), MEASURED)
    params = {"ingest": {"sources": []}, "evaluate": {"gate": {"headline": headline}}}
    stale = {"evaluate@documents": ["params: documents.evaluate"], "plot@climb": ["its code has changed"]}
    lines = [
        f"documents: stale, synthetic data (last result: {result})",
        "  evaluate@documents: params: documents.evaluate",
    ]
    assert describe("documents", params, stale) == lines
    write_json(Path("metrics/documents/judgement.json"), {"verdict": "PASS", "reasons": ["PASS: mae", "PASS: rmse"]})
    assert describe("documents", params, stale) == lines
    heading = "  reasons of the last result, which is of other data, params or code:"
    lines[1:1] = [heading, "  PASS: mae", "  PASS: rmse"]
    assert describe("documents", params, stale, reasons=True) == lines
    judged = {"verdict": "PASS", "reasons": ["PASS: mae", "PASS: rmse"], "never_predicted": [3]}
    write_json(Path("metrics/documents/judgement.json"), judged)
    lines.insert(4, "  ⚠ it predicted none of its test data as: 3")
    assert describe("documents", params, stale, reasons=True) == lines


def test_the_reasons_of_a_stale_result_are_told_to_be_of_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(Path("metrics/documents/evaluate.json"), MEASURED | {"verdict": "FAIL"})
    write_json(Path("metrics/documents/judgement.json"), {"verdict": "FAIL", "reasons": ["FAIL: mae"]})
    params = {"ingest": {"sources": []}, "evaluate": {"gate": {"headline": "mae"}}}
    stale = {"ingest@documents": ["it has never run"]}
    told = describe("documents", params, stale, reasons=True)
    assert [line for line in told if "last result, which is of other data" in line] == [told[1]]
    assert told[2] == "  FAIL: mae"
    for given, reasons in (({}, True), (stale, False)):
        assert not any("of other data" in line for line in describe("documents", params, given, reasons=reasons))


@pytest.mark.parametrize(
    ("verdict", "sources", "told"),
    [("FAIL", True, True), ("REVIEW", True, True), ("PASS", True, False), ("FAIL", False, False)],
)
def test_after_a_verdict_on_own_data_that_is_not_good_the_next_step_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, sources: bool, told: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/documents.md").write_text("## Troubleshooting")
    write_json(Path("metrics/documents/evaluate.json"), MEASURED | {"verdict": verdict})
    write_json(Path("metrics/documents/judgement.json"), {"verdict": verdict, "reasons": [f"{verdict}: mae"]})
    params = {"ingest": {"sources": [{"path": "mine"}] * sources}, "evaluate": {"gate": {"headline": "mae"}}}
    lines = describe("documents", params, {}, reasons=True)
    assert any("docs/documents.md, Troubleshooting" in line for line in lines) == told


def test_programs_are_told_of_a_domain_what_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(Path("metrics/documents/evaluate.json"), MEASURED)
    stale = {"evaluate@documents": ["it has never run"], "plot@climb": ["its code has changed"]}
    sources = [{"path": "mine.csv"}]
    told = as_record("documents", {"ingest": {"sources": sources}}, stale)
    assert told == {"evaluate": MEASURED, "sources": sources, "stale": {"evaluate@documents": ["it has never run"]}}
    assert as_record("climb", {"ingest": {}}, {}) == {"evaluate": None, "sources": [], "stale": {}}


@pytest.mark.parametrize(("stage", "told"), [("ingest", False), ("filter", True), ("weight", True), (None, True)])
def test_rows_that_are_shown_are_told_to_be_old_from_the_first_stale_stage_on(
    monkeypatch: pytest.MonkeyPatch, stage: str | None, told: bool
) -> None:
    stale = {"filter@climb": ["params: climb.filter"], "ingest@retina": ["it has never run"], "train@climb": ["no"]}
    monkeypatch.setattr(status, "stale_stages", lambda: stale)
    line = stale_rows("climb", stage)
    assert ("climb is stale (filter@climb: params: climb.filter): `dvc repro weight@climb`" in line) == told
    assert bool(line) == told, "what train has to do changes no row"


def test_a_judgement_without_reasons_is_one_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_json(Path("metrics/documents/judgement.json"), {"verdict": "PASS"})
    params = {"ingest": {"sources": []}, "evaluate": {"gate": {"headline": "mae"}}}
    with pytest.raises(WinnowError, match="metrics/documents/judgement.json lacks reasons"):
        describe("documents", params, {}, reasons=True)


def test_a_folder_that_git_does_not_know_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a ZIP of the repository's files: `compare` ended in a traceback, `status` asked whether DVC is running."""
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True)
    Path(".dvc/config").write_text("")
    for ask in (stale_stages, lambda: Revision("main"), lambda: Revision(None)):
        with pytest.raises(WinnowError, match=r"DVC needs Git here: .* is not a git repository") as refused:
            ask()
        assert "git clone the repository" in str(refused.value.fix)


def test_a_pipeline_without_a_domains_stages_is_not_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as an empty dvc.yaml: nothing in it is stale."""
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True)
    Path("params.yaml").write_text("domains: [climb, retina]\n")
    for content in ("", "stages:\n  train:\n    matrix: {domain: [climb]}\n    cmd: 'true'\n"):
        Path("dvc.yaml").write_text(content)
        with pytest.raises(WinnowError, match=r"dvc.yaml has no stage of (climb, )?retina"):
            stale_stages({"domains": ["climb", "retina"]})


def test_a_run_of_dvc_is_told_while_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert running_lines() == []
    Path(".dvc/tmp").mkdir(parents=True)
    ended = subprocess.Popen(["true"])
    ended.wait()
    told = {"data/a": (os.getpid(), "repro train@articles"), "data/b": (os.getpid(), "repro train@articles"),
            "data/c": (ended.pid, "repro train@climb")}  # fmt: skip
    writers = {path: {"pid": pid, "cmd": f"/home/a b/bin/dvc {what}"} for path, (pid, what) in told.items()}
    readers = {"data/d": [{"pid": os.getpid(), "cmd": "/bin/dvc status"}]}
    for text, lines in (
        (
            json.dumps({"read": readers, "write": writers}),
            ["`dvc repro train@articles` is running here: what it has not finished is told as stale"],
        ),
        (json.dumps({"read": readers, "write": {}}), []),
        ("{", []),
    ):
        status.RUNNING.write_text(text)
        assert running_lines() == lines


def test_the_locks_are_those_that_dvc_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    Repo.init().close()
    Path("dvc.yaml").write_text("stages:\n  slow:\n    cmd: touch begun && sleep 30 && touch made\n    outs: [made]\n")
    with subprocess.Popen([sys.executable, "-m", "dvc", "repro", "slow"], stdout=subprocess.DEVNULL) as running:
        try:
            for _ in range(300):
                if Path("begun").exists():
                    break
                time.sleep(0.1)
            (line,) = running_lines()
        finally:
            psutil.Process(running.pid).children(recursive=True)[0].kill()
    assert "repro slow` is running here" in line
