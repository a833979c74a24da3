"""`winnow doctor` sees what is missing, says what mends it, and tells nothing that does not belong in an issue."""

import getpass
import json
import platform
import shutil
import socket
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from typer.testing import CliRunner

from winnow.cli.app import app
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.workspace import checkout_checks, machine_checks
from winnow.workspace.checks import Check
from winnow.workspace.doctor import examine, healthy


@pytest.fixture
def here(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which nothing is missing."""
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(checkout_checks, "check_code_location", lambda: None)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(workspace / "gitconfig"))
    for command in (["init", "-q"], ["config", "user.name", "Ann"], ["config", "user.email", "ann@example.org"]):
        subprocess.run(["git", *command], check=True)
    Path(".dvc").mkdir()
    Path(".dvc/config").write_text("[core]\n    analytics = false\n")
    Path("requirements.lock").write_text(f"numpy=={version('numpy')} \\\n    --hash=sha256:0\n")
    domains = Document(PARAMS_FILE).content["domains"]  # own data that the checkout names are not in here
    presets.apply({f"{domain}.ingest.sources": [] for domain in domains}, PARAMS_FILE)
    return workspace


def found(name: str) -> Check:
    (check,) = (each for each in examine() if each.name == name)
    return check


def test_nothing_is_missing(here: Path) -> None:
    checks = examine()
    assert healthy(checks), [check.line() for check in checks if check.state == "missing"]
    assert found("packages").found == "1 as locked"
    assert {"climb", "retina", "sessions"} <= {check.name for check in checks}


def lock(line: str) -> None:
    Path("requirements.lock").write_text(line + " \\\n    --hash=sha256:0\n")


def remote(url: str) -> None:
    Path(".dvc/config").write_text(f"['remote \"store\"']\n    url = {url}\n")


def sources(*paths: str) -> None:
    presets.apply({"climb.ingest.sources": [{"format": "csv", "path": path} for path in paths]}, PARAMS_FILE)


def tracked_source(name: str, *others: str) -> None:
    sources(*(f"data/source/climb/{each}" for each in (name, *others)))
    Path(f"data/source/climb/{name}.dvc").write_text("outs: []\n")


def model(config: str = "{}", cut: int = 0) -> None:
    folder = Path("data/climb/train/model")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config)
    save_file({"weight": np.ones(9)}, folder / "model.safetensors")
    with (folder / "model.safetensors").open("r+b") as file:
        file.truncate(file.seek(0, 2) - cut)


FAULTS: list[tuple[Any, str, str, str]] = [
    (lambda: lock("no-such-package==1.0"), "packages", "no-such-package", "make .venv/ready"),
    (lambda: sources("data/source/climb/lost.csv"), "climb", "lost.csv", "winnow init climb"),
    (lambda: tracked_source("away.csv"), "climb", "away.csv", "dvc pull"),
    (lambda: tracked_source("away.csv", "lost.csv"), "climb", "lost.csv", "winnow init climb"),
    (lambda: shutil.rmtree(".git"), "git", "no Git repository", "clone"),
    (lambda: subprocess.run(["git", "config", "--unset", "user.name"], check=True), "git", "user.name", "git config"),
    (lambda: shutil.rmtree(".dvc"), "dvc", "not initialised", "git checkout .dvc"),
    (lambda: Path(".dvc/config").write_text("[[[\nno"), "remote", "cannot be read", "git checkout .dvc/config"),
    (lambda: model(cut=8), "climb", "the model is damaged", "dvc checkout --force train@climb"),
    (lambda: model("{"), "climb", "the model is damaged", "dvc checkout --force train@climb"),
    (lambda: Path("data/climb/train/model").mkdir(parents=True), "climb", "model.safetensors missing", "dvc checkout"),
    (lambda: Path("dvc.lock").write_text(""), "dvc", "dvc.lock is empty or damaged", "git checkout dvc.lock"),
    (lambda: PARAMS_FILE.write_text("a: [\n"), "params.yaml", "cannot be read", "dvc repro check"),
    (lambda: presets.apply({"runtime.device": "mps"}, PARAMS_FILE), "gpu", "runtime.device is mps", "auto or cpu"),
]


@pytest.mark.parametrize(("break_it", "name", "told", "fix"), FAULTS)
def test_what_is_missing_is_named_with_what_mends_it(here: Path, break_it: Any, name: str, told: str, fix: str) -> None:
    break_it()
    check = found(name)
    assert check.state == "missing"
    assert told in check.found
    assert fix in check.fix
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert check.fix in result.stdout


def test_other_versions_are_noted_and_do_not_fail(here: Path) -> None:
    lock("numpy==1.0")
    check = found("packages")
    assert check.state == "note"
    assert f"numpy {version('numpy')}, not 1.0" in check.found
    lock("no-such-package==1.0 ; sys_platform == 'nowhere'")
    assert found("packages").state == "ok"


def test_a_remote_whose_kind_dvc_cannot_reach_here_names_the_extra(here: Path) -> None:
    remote("s3://secret-bucket/path")
    check = found("remote")
    assert check.state == "missing"
    assert "dvc[s3]" in check.fix
    assert "secret" not in check.line()


def test_a_whole_model_is_here_and_a_remote_without_its_folder_is_noted(here: Path) -> None:
    assert "no model here" in found("climb").found
    model()
    assert (found("climb").state, found("climb").found) == ("ok", "embedded data, model here")
    remote("../elsewhere")
    assert (found("remote").state, "not here" in found("remote").found) == ("note", True)
    Path("elsewhere").mkdir()
    assert found("remote").state == "ok"


def test_a_full_disk_is_missing_space(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(".")._replace(free=machine_checks.SPACE - 1)
    monkeypatch.setattr(machine_checks.shutil, "disk_usage", lambda _: usage)
    assert found("disk").state == "missing"


def test_the_report_is_for_everyone_to_read(here: Path) -> None:
    remote("s3://user:secret@bucket/path")
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["ok"] is False
    assert [each["name"] for each in report["checks"] if each["state"] == "missing"] == ["remote"]
    private = [str(here), "secret", "ann@example.org", socket.gethostname(), str(Path.home()), platform.node()]
    user = getpass.getuser()
    for text in [*private, f"/{user}/"]:
        assert text not in result.stdout, text


def test_without_a_checkout_it_says_so_and_is_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checks = examine()
    assert healthy(checks)
    assert "--model" in found("checkout").found


def test_what_is_invalid_in_one_domain_is_told_of_that_one(here: Path) -> None:
    secret = [{"format": "secret", "path": "data/source/climb/secret"}]
    presets.apply({"climb.train.epochs": "many", "climb.ingest.sources": secret}, PARAMS_FILE)
    check = found("climb")
    line = PARAMS_FILE.read_text().partition("epochs: many")[0].count("\n") + 1
    assert check.state == "missing"
    assert f"params.yaml:{line}: climb.train.epochs" in check.found
    assert "secret" not in check.found, "it is for everyone to read"
    assert found("retina").state == "note", "as before"
    presets.apply({"climb": "nothing", "retina.ingest": None, "runtime": 5}, PARAMS_FILE)
    assert "runtime" in found("params.yaml").found
