"""The GitHub workflows: checked by their linters, and their `run:` steps run as they are, in a real clone.

`make`, `npm`, `gh` and `cml` are recorders: the first would install and test all of this again, the others need the
network. Each job begins in a clone of its own, and has of other jobs what their artifacts hold.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import tomllib
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
PULL_HEAD = "0123456789abcdef0123456789abcdef01234567"
"""What `gh` tells of any pull request: the commit that it is at."""


class Runner:
    """Runs the steps of a job as GitHub does: `bash -e`, expressions replaced, each step with its own environment."""

    def __init__(self, clone: Clone, folder: Path, context: Mapping[str, str]) -> None:
        self.clone, self.folder, self.context = clone, folder, context
        programs = folder / "bin"
        programs.mkdir()
        self.programs = programs
        for name in ("make", "npm", "cml", "gh"):
            self.program(name, RECORDER + (f"echo {PULL_HEAD}\n" if name == "gh" else ""))
        self.environment = clean_environment() | {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": "src",  # the checkout's code, where a runner installs it
            "HOME": str(folder),
            "RECORD": str(folder / "record"),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": f"{folder.name}-run",
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "RUNNER_TEMP": str(folder),
        }

    def program(self, name: str, script: str) -> None:
        """Put a script before all other programs of that name."""
        (self.programs / name).write_text(script)
        (self.programs / name).chmod(0o755)

    def checkout(self, name: str) -> None:
        """What a job begins with: the last commit, and nothing that Git ignores."""
        fresh = self.folder / name
        self.clone.run("git", "clone", "-q", str(self.clone.root), str(fresh))
        self.clone = Clone(fresh)

    def download(self, workflow: str, job: str, source: Path) -> None:
        """Copy what the job's artifact holds of `source` into the present checkout."""
        for step in steps(workflow, job):
            if "upload-artifact" in step.get("uses", ""):
                for path in [path for pattern in step["with"]["path"].split() for path in source.glob(pattern)]:
                    target = self.clone.root / path.relative_to(source)
                    if path.is_dir():
                        shutil.copytree(path, target)
                    else:
                        target.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copy2(path, target)

    def run(self, workflow: str, job: str, expect: int = 0, *, where: Path | None = None) -> str:
        """The combined output of the job's `run:` steps, in order."""
        found = workflow_file(workflow)["jobs"][job]
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
        """Replace expressions; `a || b` is the first that the context has."""

        def value(found: re.Match[str]) -> str:
            *tried, last = found[1].split(" || ")
            return next((self.context[name] for name in tried if self.context.get(name)), self.context[last])

        return re.sub(r"\$\{\{ *([^}]+?) *\}\}", value, text)

    def recorded(self) -> list[str]:
        record = self.folder / "record"
        return record.read_text().splitlines() if record.exists() else []


def steps(workflow: str, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow_file(workflow)["jobs"][job]["steps"]
    return found


def workflow_file(name: str) -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())
    return content


@pytest.fixture
def base(clone: Clone) -> str:
    """A pull request that changes one param of evaluate; gives the branch it is for, which has moved on meanwhile."""
    clone.run("git", "checkout", "-q", "-b", "ahead")
    clone.override({"climb.plot.dpi": 81})
    clone.commit("larger pictures")
    tip = clone.run("git", "rev-parse", "HEAD").stdout.strip()
    clone.run("git", "checkout", "-q", "main")
    clone.override({"climb.evaluate.generation.per_grade": 2})
    clone.commit("fewer routes")
    return tip


def context(base: str, **more: str) -> dict[str, str]:
    return {
        "github.event.pull_request.base.sha": base,
        "github.event.workflow_run.head_sha": PULL_HEAD,
        "github.event.pull_request.number": "7",
        "github.server_url": "https://github.example",
        "github.repository": "owner/winnow",
        "secrets.GITHUB_TOKEN": "token",
        "matrix.domain": "climb",
        **more,
    }


def test_the_linters_find_nothing() -> None:
    names = [str(file) for file in WORKFLOWS]
    assert len(names) == 7
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


def test_the_report_of_a_pull_request(clone: Clone, base: str, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(base))
    runner.checkout("domains")
    runner.run("report", "domains")
    assert (tmp_path / "output").read_text() == 'names=["climb"]\n'
    runner.checkout("reproduce")
    told = runner.run("report", "reproduce")
    ran = re.findall(r"Running stage '([^']+)'", told)
    assert ran.count("train@climb") == 1, "of the commit that the pull request starts from; nothing is cached yet"
    assert ran[-2:] == ["evaluate@climb", "plot@climb"]
    reproduced = runner.clone.root
    runner.checkout("report")
    runner.download("report", "reproduce", reproduced)
    told = runner.run("report", "report")
    assert "Running stage 'train@climb'" not in told
    report = runner.clone.root / "report"
    text = (report / "report.md").read_text()
    head = clone.run("git", "rev-parse", "--short=7", "HEAD").stdout.strip()
    start = clone.run("git", "rev-parse", "--short=7", "HEAD~1").stdout.strip()
    stale = "dvc.lock is **stale**: climb (evaluate)"
    assert text.startswith(f"**winnow**: the working tree at {head} compared with {start} · {stale}\n")
    assert re.search(r"\| evaluate \d+ s, plot \d+ s \|", text)
    rows = re.findall(r"^\| (\w+\.[\w.]+) \|", text, re.MULTILINE)
    assert rows == ["evaluate.generation.per_grade"], "the other branch's params are not this pull request's"
    assert "| evaluate.generation.per_grade | 3 | 2 |" in text
    assert "compared unpaired: grade_agreement_score (the set of generated and test routes has changed)" in text
    pictures = re.findall(r"!\[\]\(([^)]+)\)", text)
    assert "figures/climb/generated_routes-before.png" in pictures
    assert {(report / path).read_bytes()[:4] for path in pictures} == {b"\x89PNG"}
    of_a_fork = (report / "text.md").read_text()
    assert "![" not in of_a_fork
    assert stale in of_a_fork, "what was stale before anything was run, also where post.yml posts it"
    assert "perplexity" in text
    assert "evaluate@climb: params: climb.evaluate" in (tmp_path / "summary").read_text()
    assert runner.recorded()[-1] == "cml comment update --target=pr/7 report/report.md"


def test_a_report_has_a_job_for_any_domain_that_winnow_new_makes(clone: Clone, tmp_path: Path) -> None:
    clone.override({"domains": ["climb", "tides_2"]})
    clone.commit("a domain of one's own")
    runner = Runner(clone, tmp_path, context("HEAD"))
    runner.checkout("domains")
    runner.run("report", "domains")
    assert (tmp_path / "output").read_text() == 'names=["climb", "tides_2"]\n'


def test_pull_requests_start_from_what_main_has_cached() -> None:
    content = workflow_file("report")
    assert content[True]["push"] == {"branches": ["main"]}, "YAML reads `on` as true"
    (cache,) = (step["with"] for step in steps("report", "reproduce") if "actions/cache@" in step.get("uses", ""))
    assert cache["path"] == ".dvc/cache"
    assert cache["key"].startswith(cache["restore-keys"])
    only = "github.event_name == 'pull_request'"
    assert content["jobs"]["report"]["if"] == only
    assert [step["if"] for step in steps("report", "reproduce") if "if" in step] == [only, only]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_a_job_that_looks_for_the_base_has_the_history_and_the_pull_requests_own_commit(file: Path) -> None:
    """By default GitHub checks out one commit alone, the merge with the base branch: nobody has committed that."""
    for name, job in workflow_file(file.stem)["jobs"].items():
        if any("merge-base" in step.get("run", "") for step in job["steps"]):
            (checkout,) = (step["with"] for step in job["steps"] if "actions/checkout@" in step.get("uses", ""))
            assert checkout["fetch-depth"] == 0, name
            assert checkout["ref"].startswith("${{ github.event.pull_request.head.sha"), name


@pytest.mark.parametrize(
    ("number", "commit", "code"),
    [("12", PULL_HEAD, 0), ("12; touch hacked", PULL_HEAD, 1), ("", PULL_HEAD, 1), ("12", "other", 1)],
)
def test_a_forks_report_is_posted_as_text_on_its_own_pull_request(
    tmp_path: Path, number: str, commit: str, code: int
) -> None:
    (tmp_path / "fork/report").mkdir(parents=True)
    (tmp_path / "fork/report/number.txt").write_text(f"{number}\n")
    runner = Runner(Clone(tmp_path), tmp_path, context("") | {"github.event.workflow_run.head_sha": commit})
    runner.run("post", "comment", expect=code)
    posted = [line for line in runner.recorded() if line.startswith("cml")]
    address = "--repo=https://github.example/owner/winnow --target=pr/12"
    expected = f"cml comment update --publish=false {address} fork/report/text.md"
    assert posted == ([] if code else [expected])
    if number == "12":
        assert runner.recorded()[0] == "gh api repos/owner/winnow/pulls/12 --jq .head.sha"
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
    created = runner.recorded()[-1]
    assert created.startswith("cml pr create --branch=train-climb-again-run-1 "), "another training has another branch"
    assert f"--message=Train climb: {asked['inputs.overrides']} --title=Train climb --body=Params: climb" in created
    assert "skip ci" not in created
    assert "keep=cache" in (runner.folder / "output").read_text(), "there is no remote"
    kept = next(step for step in steps("train", "train") if "upload-artifact" in step.get("uses", ""))
    assert kept["if"] == "steps.train.outputs.keep == 'cache'"
    model = yaml.safe_load((clone.root / "dvc.lock").read_text())["stages"]["train@climb"]["outs"][0]["md5"]
    assert (clone.root / kept["with"]["path"] / "files/md5" / model[:2] / model[2:]).exists()

    clone.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    (tmp_path / "pushed").mkdir()
    pushed = Runner(clone, tmp_path / "pushed", context("", **asked) | {"secrets.TRAIN_TOKEN": "own"})
    pushed.run("train", "train")
    assert (tmp_path / "store/files/md5" / model[:2] / model[2:]).exists()
    assert not (pushed.folder / "output").exists()
    assert pushed.expand("${{ secrets.TRAIN_TOKEN || secrets.GITHUB_TOKEN }}") == "own"


def test_overrides_reach_dvc_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "climb.train.seed=7").touch()  # what the shell would make of a pattern
    asked = {"inputs.domain": "climb", "inputs.overrides": "climb.train.seed=? climb.train.epochs=2"}
    runner = Runner(Clone(tmp_path), tmp_path, context("", **asked))
    for name in ("git", "dvc"):
        runner.program(name, RECORDER)
    runner.run("train", "train")
    assert "dvc exp run plot@climb -S climb.train.seed=? -S climb.train.epochs=2" in runner.recorded()


@pytest.mark.long
def test_verify_runs_everything_again_and_compares(clone: Clone, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(""))
    told = runner.run("verify", "verify")
    assert "Running stage 'train@climb'" in told
    metrics = clone.root / "metrics/climb/label.json"
    metrics.write_text(metrics.read_text().replace("1", "2"))
    clone.commit("other figures")
    assert "label@climb" in runner.run("verify", "verify", expect=1)


def test_verify_without_avx2_compares_the_bytes_of_the_data_stages(clone: Clone, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(""))
    runner.program("grep", "#!/bin/sh\nexit 1\n")
    lock = clone.root / "dvc.lock"
    stages = yaml.safe_load(lock.read_text())["stages"]
    (labels,) = (out["md5"] for out in stages["label@climb"]["outs"] if out["path"] == "data/climb/label")
    lock.write_text(lock.read_text().replace(labels, f"{'0' * 32}.dir"))  # the figures in metrics/ are the same
    clone.commit("other bytes")
    runner.checkout("fresh")  # without data, which would not be those of this lock
    told = runner.run("verify", "verify", expect=1)
    assert "no AVX2" in told
    assert f"+      md5: {labels}" in told
    assert "Running stage 'weight@climb'" in told
    assert "Running stage 'train@climb'" not in told


def test_ci_runs_the_tests(clone: Clone, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(""))
    runner.run("ci", "test")
    assert runner.recorded() == ["make test"]


def test_every_night_faults_are_planted_and_the_unseen_ones_told(clone: Clone, tmp_path: Path) -> None:
    runner = Runner(clone, tmp_path, context(""))
    unseen = "unseen: src/winnow/x.py:3\\n  - a\\n  + b"
    runner.program("make", RECORDER + f"printf '1/40 src/winnow/y.py:1 AddNot: tests/test_y.py\\n{unseen}\\n'\n")
    runner.run("nightly", "mutants")
    assert runner.recorded() == [f"make mutants MUTANTS=40 SEED={tmp_path.name}-run"]
    assert (tmp_path / "summary").read_text() == "unseen: src/winnow/x.py:3\n  - a\n  + b\n"


def test_ci_runs_the_pipeline_on_other_systems_and_sees_a_result_outside_its_interval(
    clone: Clone, tmp_path: Path
) -> None:
    assert workflow_file("ci")["jobs"]["elsewhere"]["strategy"]["matrix"]["system"] == ["ubuntu-24.04-arm", "macos-15"]
    runner = Runner(clone, tmp_path, context(""))
    told = runner.run("ci", "elsewhere")
    assert runner.recorded() == ["make run"]
    assert told.startswith("articles   within the committed interval\nclimb      within the committed interval\n")
    metrics = clone.root / "metrics/climb/evaluate.json"
    found = json.loads(metrics.read_text())
    high = found["perplexity_high"]
    metrics.write_text(json.dumps(found | {"perplexity": high * 1.001}))
    told = runner.run("ci", "elsewhere", expect=1)
    assert f"perplexity: {high * 1.001:.4g} here, and committed are" in told


def test_a_tag_that_is_the_version_becomes_a_release_with_wheel_and_list_of_packages(
    clone: Clone, tmp_path: Path
) -> None:
    version = tomllib.loads((clone.root / "pyproject.toml").read_text())["project"]["version"]
    (tmp_path / "other").mkdir()
    other = Runner(clone, tmp_path / "other", {"github.ref_name": "v9.9.9", "secrets.GITHUB_TOKEN": "token"})
    assert f"the tag is v9.9.9, and pyproject.toml has version {version}" in other.run("release", "release", expect=1)
    assert other.recorded() == []
    runner = Runner(clone, tmp_path, {"github.ref_name": f"v{version}", "secrets.GITHUB_TOKEN": "token"})
    made = "mkdir -p build/dist && touch build/dist/winnow.whl build/dist/winnow.cdx.json"
    runner.program("make", RECORDER + made)
    runner.run("release", "release")
    published = f"gh release create v{version} build/dist/winnow.cdx.json build/dist/winnow.whl --verify-tag"
    assert [line.removesuffix(" --notes See CHANGELOG.md.") for line in runner.recorded()] == ["make dist", published]


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
    clone.override({"climb.plot.dpi": 81})
    assert "plot@climb" in clone.run(*hook("lock"), expect=1).stdout
