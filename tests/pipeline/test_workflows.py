"""The GitHub workflows: checked by their linters, and their `run:` steps run as they are, in a real clone.

`make`, `npm` and `cml` are recorders: the first would install and test all of this again, the others need the network.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pipeline.conftest import ROOT, Clone, clean_environment

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RECORDER = """#!/bin/sh
echo "$(basename "$0") $*" >> "$RECORD"
"""


class Runner:
    """Runs the steps of a job as GitHub does: `bash -e`, expressions replaced, each step with its own environment."""

    def __init__(self, clone: Clone, folder: Path, context: Mapping[str, str]) -> None:
        self.clone, self.folder, self.context = clone, folder, context
        programs = folder / "bin"
        programs.mkdir()
        for name in ("make", "npm", "cml"):
            (programs / name).write_text(RECORDER)
            (programs / name).chmod(0o755)
        self.environment = clean_environment() | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": "src",  # the checkout's code, where a runner installs it
            "HOME": str(folder),
            "RECORD": str(folder / "record"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        }

    def run(self, workflow: str, job: str, expect: int = 0, *, where: Path | None = None) -> str:
        """The combined output of the job's `run:` steps, in order."""
        found = yaml.safe_load((ROOT / f".github/workflows/{workflow}.yml").read_text())["jobs"][job]
        told = ""
        for step in found["steps"]:
            if "run" in step:
                assert "${{" not in step["run"], "an expression in a script: text of strangers may be run"
                values = {**found.get("env", {}), **step.get("env", {})}
                done = subprocess.run(
                    ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
                    cwd=where or self.clone.root,
                    env=self.environment | {name: self.expand(str(value)) for name, value in values.items()},
                    capture_output=True,
                    text=True,
                    check=False,
                )
                told += done.stdout + done.stderr
                if done.returncode:
                    assert done.returncode == expect, told
                    return told
        assert expect == 0, told
        return told

    def expand(self, text: str) -> str:
        return re.sub(r"\$\{\{ *([^} ]+) *\}\}", lambda found: self.context[found[1]], text)

    def recorded(self) -> list[str]:
        record = self.folder / "record"
        return record.read_text().splitlines() if record.exists() else []


@pytest.fixture
def two_commits(clone: Clone) -> str:
    """A pull request that changes one param of evaluate; gives the commit it starts from."""
    base = clone.run("git", "rev-parse", "HEAD").stdout.strip()
    clone.override({"climb.evaluate.generation.per_grade": 2})
    clone.commit("fewer routes")
    return base


def context(base: str, **more: str) -> dict[str, str]:
    return {
        "github.event.pull_request.base.sha": base,
        "github.event.pull_request.number": "7",
        "github.server_url": "https://github.example",
        "github.repository": "owner/winnow",
        "secrets.GITHUB_TOKEN": "token",
        "matrix.domain": "climb",
        **more,
    }


def test_the_linters_find_nothing() -> None:
    names = [str(file) for file in WORKFLOWS]
    assert len(names) == 5
    schema = ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"]
    for command in (["zizmor", "--offline", "--quiet"], schema):
        done = subprocess.run([*command, *names], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned_and_rights_are_least(file: Path) -> None:
    content: dict[Any, Any] = yaml.safe_load(file.read_text())
    assert content["permissions"] in ({}, {"contents": "read"})
    for uses in re.findall(r"uses: (\S+)", file.read_text()):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", uses), uses


def test_the_report_of_a_pull_request(clone: Clone, two_commits: str, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(two_commits))
    runner.run("report", "domains")
    assert (tmp_path / "output").read_text() == 'names=["climb"]\n'
    shutil.rmtree(clone.root / ".winnow")
    told = runner.run("report", "reproduce")
    assert set(re.findall(r"Running stage '([^']+)'", told)) == {"check", "evaluate@climb", "plot@climb"}
    clone.run("git", "checkout", "-q", ".")  # each job begins with a checkout of its own
    told = runner.run("report", "report")
    assert "Running stage 'train@climb'" not in told
    text = (clone.root / "report/report.md").read_text()
    assert "| evaluate.generation.per_grade | 3 | 2 |" in text
    assert re.search(r"\| evaluate \d+ s, plot \d+ s \|", text)
    pictures = re.findall(r"!\[\]\(([^)]+)\)", text)
    assert "figures/climb/generated_routes-before.png" in pictures
    assert {(clone.root / "report" / path).read_bytes()[:4] for path in pictures} == {b"\x89PNG"}
    assert "![" not in (clone.root / "report/text.md").read_text()
    assert (clone.root / ".winnow/ledger-climb.jsonl").exists()
    assert "perplexity" in text
    assert "not distinguishable" in text or "unchanged" in text
    assert "evaluate@climb: params: climb.evaluate" in (tmp_path / "summary").read_text()
    assert runner.recorded()[-1] == "cml comment update --target=pr/7 report/report.md"


@pytest.mark.parametrize(("number", "code"), [("12", 0), ("12; touch hacked", 1), ("", 1)])
def test_a_forks_report_is_posted_as_text(clone: Clone, tmp_path: Path, number: str, code: int) -> None:
    (tmp_path / "fork/report").mkdir(parents=True)
    (tmp_path / "fork/report/number.txt").write_text(f"{number}\n")
    runner = Runner(clone, tmp_path, context(""))
    runner.run("post", "comment", expect=code, where=tmp_path)
    posted = [line for line in runner.recorded() if line.startswith("cml")]
    address = "--repo=https://github.example/owner/winnow --target=pr/12"
    expected = f"cml comment update --publish=false {address} fork/report/text.md"
    assert posted == ([] if code else [expected])
    assert not (tmp_path / "hacked").exists()


def test_train_opens_a_pull_request_and_runs_no_text(clone: Clone, tmp_path: Path) -> None:
    overrides = "climb.train.epochs=1 climb.train.seed=$(touch${IFS}hacked)"
    asked = {"inputs.domain": "climb", "inputs.overrides": overrides}
    told = Runner(clone, tmp_path, context("", **asked)).run("train", "train", expect=255)
    assert "mismatched input" in told, "DVC takes it for no value"
    assert not (clone.root / "hacked").exists()
    (tmp_path / "again").mkdir()
    asked["inputs.overrides"] = "climb.train.epochs=1 climb.train.seed=2"
    runner = Runner(clone, tmp_path / "again", context("", **asked))
    runner.run("train", "train")
    assert json.loads((clone.root / "metrics/climb/train/metrics.json").read_text())["step"] == 1
    assert runner.recorded()[-1].startswith("cml pr create --title=Train climb --body=Params: climb.train.epochs=1 ")


@pytest.mark.long
def test_verify_runs_everything_again_and_compares(clone: Clone, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(""))
    told = runner.run("verify", "verify")
    assert "Running stage 'train@climb'" in told
    metrics = clone.root / "metrics/climb/label.json"
    metrics.write_text(metrics.read_text().replace("1", "2"))
    clone.commit("other figures")
    assert "label@climb" in runner.run("verify", "verify", expect=1)


def test_ci_runs_the_tests(clone: Clone, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(""))
    runner.run("ci", "test")
    assert runner.recorded() == ["make test"]


def hook(name: str) -> list[str]:
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    (entry,) = (each["entry"] for each in repository["hooks"] if each["id"] == name)
    return shlex.split(entry)


def test_hooks_keep_params_as_dvc_writes_them_and_notice_a_stale_lock(clone: Clone) -> None:
    as_written = (clone.root / "params.yaml").read_text()
    (clone.root / "params.yaml").write_text(as_written.replace("domains:\n- climb", "domains: [ 'climb' ]"))
    clone.run("env", "PYTHONPATH=src", *hook("params"))
    assert (clone.root / "params.yaml").read_text() != as_written
    (clone.root / "params.yaml").write_text(as_written)
    clone.run("env", "PYTHONPATH=src", *hook("params"))
    assert (clone.root / "params.yaml").read_text() == as_written
    clone.run(*hook("lock"))
    clone.run(*hook("dvc-pre-commit"))
    clone.override({"climb.plot.dpi": 41})
    assert "plot@climb" in clone.run(*hook("lock"), expect=1).stdout
