"""A trained model answers from its own folder: neither params.yaml nor tables made anew change what it says."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from typer.testing import CliRunner

from tests.stages.answers import EXAMPLES
from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from tests.stages.variations import params_of, varied
from winnow.domains.load import has_module, load
from winnow.pipeline.errors import WinnowError

EDITED = ("common", "ingest")
"""Sections on which the train stage and the commands could depend alike."""


@dataclass(frozen=True)
class Answer:
    """What a command printed and wrote, or the error with which it refused."""

    printed: str
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
    return Answer(result.stdout, files, result.exception)


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
