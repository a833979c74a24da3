"""A trained model answers from its own folder, in a checkout or without one, and says what its evaluation found."""

import copy
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from filelock import FileLock
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.stages.conftest import Finished, torch_restored
from tests.stages.domain_examples import EXAMPLES
from tests.stages.programs import Programs
from tests.stages.variations import params_of, varied
from winnow.cli.models import carried_by
from winnow.domains.load import has_module, load
from winnow.learn.folder import PASSED, copy_model
from winnow.learn.trained import load_trained
from winnow.pipeline.errors import WinnowError

EDITED = ("common", "ingest")
"""Sections on which the train stage and the commands could depend alike."""


@dataclass(frozen=True)
class Answer:
    """What a command printed and wrote, or the error with which it refused."""

    printed: str
    warned: str
    files: dict[str, bytes]
    refusal: BaseException | None


@dataclass(frozen=True)
class Trained:
    """A domain, the folder in which it was trained, its commands and what they answered."""

    domain: str
    programs: Programs
    folder: Path
    commands: list[list[str]]
    answers: list[Answer]


def ask(domain: str, command: list[str]) -> Answer:
    """Run `winnow DOMAIN COMMAND` in the working folder."""
    out = Path("out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    result = CliRunner().invoke(load(domain, "cli").app, command)
    files = {file.name: file.read_bytes() for file in sorted(out.iterdir())}
    return Answer(result.stdout, result.stderr, files, result.exception)


@pytest.fixture(scope="module")
def trained(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    domain, folder = finished.programs.domain, tmp_path_factory.mktemp(finished.programs.domain)
    shutil.copytree(finished.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    with pytest.MonkeyPatch.context() as patch, torch_restored():
        patch.chdir(folder)
        commands = EXAMPLES[domain].commands()
        answers = [ask(domain, command) for command in commands]
    for command, answer in zip(commands, answers, strict=True):
        assert answer.refusal is None, f"winnow {domain} {' '.join(command)}: {answer.refusal}"
        assert answer.printed
    return Trained(domain, finished.programs, folder, commands, answers)


@pytest.fixture
def here(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trained:
    """The trained domain, in a copy of its folder to change."""
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    return trained


def edits(trained: Trained) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every param of the edited sections with another value: its path, and the contents of params.yaml."""
    content = yaml.safe_load(Path("params.yaml").read_text())
    fields = load(trained.domain, "params").Params.model_fields
    sections = {name: trained.programs.section(name).model_dump() for name in fields}
    for name in EDITED:
        model = fields[name].annotation
        for path in params_of(model, name):
            values = varied(model, sections[name], path, EXAMPLES[trained.domain].values)
            yield path, content | {trained.domain: sections | {name: values}}


def test_every_verb_has_an_example(trained: Trained) -> None:
    has_cli = has_module(trained.domain, "cli")
    commands = load(trained.domain, "cli").app.registered_commands if has_cli else []
    verbs = {info.name or info.callback.__name__ for info in commands}
    assert {command[0] for command in trained.commands} | EXAMPLES[trained.domain].other_verbs == verbs


def test_params_edited_after_training_change_no_answer(here: Trained) -> None:
    edited = list(edits(here))
    assert edited
    for path, content in edited:
        Path("params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        for command, expected in zip(here.commands, here.answers, strict=True):
            answer = ask(here.domain, command)
            refused = isinstance(answer.refusal, WinnowError)
            assert refused or answer == expected, f"{path}: winnow {here.domain} {' '.join(command)}\n{answer}"


def test_answers_need_the_model_folder_alone(here: Trained) -> None:
    data = Path("data", here.domain)
    shutil.move(data / "train" / "model", "kept")
    shutil.rmtree(data)
    shutil.move("kept", data / "train" / "model")
    runtime = yaml.safe_load(Path("params.yaml").read_text())["runtime"]  # where to compute, not what
    Path("params.yaml").write_text(yaml.safe_dump({"runtime": runtime}))
    for command, expected in zip(here.commands, here.answers, strict=True):
        assert ask(here.domain, command) == expected


def test_answers_are_computed_on_runtime_device(here: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    content = yaml.safe_load(Path("params.yaml").read_text())
    Path("params.yaml").write_text(yaml.safe_dump(content | {"runtime": {**content["runtime"], "device": "cuda"}}))
    for command in here.commands:
        refusal = ask(here.domain, command).refusal
        assert isinstance(refusal, WinnowError), command
        assert refusal.what == "this machine has no cuda device"


def test_without_a_trained_model_each_verb_names_the_command_that_trains(here: Trained) -> None:
    shutil.rmtree(Path("data", here.domain, "train", "model"))
    for command in here.commands:
        refusal = ask(here.domain, command).refusal
        assert isinstance(refusal, WinnowError)
        assert f"dvc repro train@{here.domain}" in refusal.fix
        assert "--model" in refusal.fix


def test_every_answer_says_what_evaluate_found(trained: Trained) -> None:
    judged = json.loads((trained.folder / f"metrics/{trained.domain}/judgement.json").read_text())
    passed = judged["verdict"] in PASSED  # a domain of one's own may, on the preset tiny already
    stamped = 0
    for answer in trained.answers:
        assert (judged["reasons"][0] in answer.warned) != passed
        assert "trained on synthetic data" in answer.warned
        for each in json_answers(answer):
            assert each["model_verdict"] == judged["verdict"]
            stamped += 1
    assert stamped or not trained.answers


def json_answers(answer: Answer) -> list[dict[str, Any]]:
    """What a command gave as JSON, on standard output or line by line in files."""
    lines = [line for name, data in answer.files.items() if name.endswith("jsonl") for line in data.splitlines()]
    try:
        printed = json.loads(answer.printed)
    except ValueError:  # text for people
        printed = []
    return [*(printed if isinstance(printed, list) else [printed]), *map(json.loads, lines)]


def test_a_changed_model_is_not_taken_for_the_evaluated_one(here: Trained) -> None:
    with Path("data", here.domain, "train/model/config.json").open("a") as file:
        file.write("\n")
    for command in here.commands[:1]:
        answer = ask(here.domain, command)
        assert "not evaluated" in answer.warned
        assert all(each["model_verdict"] == "not evaluated" for each in json_answers(answer))


def test_the_folder_says_how_to_use_it(trained: Trained) -> None:
    text = (trained.folder / f"data/{trained.domain}/train/model/README.md").read_text()
    (line,) = (line.strip() for line in text.splitlines() if line.endswith("--model ."))
    assert line.split()[:2] == ["winnow", trained.domain]
    assert line.split()[2] in {"--help", *(command[0] for command in trained.commands)}
    assert (line.split()[2] == "--help") == (not trained.commands)
    assert trained.programs.section("train").early_stopping.metric in text


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a wheel of this project is installed."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    target = shared / "installed"
    with FileLock(shared / "installed.lock"):
        if not target.exists():
            pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
            build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", str(shared / "wheel"), str(ROOT)]
            subprocess.run(build, check=True)
            (wheel,) = (shared / "wheel").glob("*.whl")
            subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return target


def test_an_installed_package_answers_from_a_copied_folder_without_a_checkout(
    here: Trained, installed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    copy_model(here.domain, elsewhere / "model", carried_by(here.domain))
    for each in Path.cwd().iterdir():  # what the command reads and nothing of the checkout
        if each.name not in {"data", "metrics", "src", "params.yaml", "dvc.yaml"}:
            shutil.copytree(each, elsewhere / each.name) if each.is_dir() else shutil.copy(each, elsewhere / each.name)
    if not here.commands:
        return
    program = f"import winnow.cli.app as c; assert c.__file__.startswith({str(installed)!r}), c.__file__; c.main()"
    done = subprocess.run(
        [sys.executable, "-c", program, here.domain, *here.commands[0], "--model", "model"],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(installed), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    expected = here.answers[0]
    assert done.stdout == expected.printed
    assert expected.warned.splitlines()[0] in done.stderr
    for name, data in expected.files.items():
        assert (elsewhere / "out" / name).read_bytes() == data, name


UNUSED = {"max_position_embeddings", "max_window_layers"}
"""Numbers of a language model's configuration by which nothing is made or repeated."""


def whole_numbers(value: Any, *place: Any) -> Iterator[tuple[Any, ...]]:
    """The places of all whole numbers."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from whole_numbers(inner, *place, key)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield place


def test_a_configuration_that_asks_for_any_amount_is_refused_at_once(trained: Trained, tmp_path: Path) -> None:
    module = load(trained.domain, "model.network")
    (network,) = (
        each
        for each in vars(module).values()
        if hasattr(each, "from_pretrained") and each.__module__ == module.__name__
    )
    model = shutil.copytree(trained.folder / "data" / trained.domain / "train/model", tmp_path / "model")
    config = json.loads((model / "config.json").read_text())
    load_trained(network, trained.domain, folder=model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for place in [each for each in whole_numbers(config) if each[-1] not in UNUSED]:
        for number in (10**9, -1):
            changed = copy.deepcopy(config)
            owner = changed
            for key in place[:-1]:
                owner = owner[key]
            owner[place[-1]] = number
            (model / "config.json").write_text(json.dumps(changed))
            with pytest.raises(WinnowError, match=f"no model of|model of {trained.domain} is damaged"):
                print(f"{place} as {number} makes a model:", load_trained(network, trained.domain, folder=model))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000, "kilobytes"
