"""The card that goes with a model: read back as the hub reads it, and compared with what evaluate stored."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from tests.stages.programs import Programs
from winnow.cli.app import app
from winnow.cli.models import carried_by
from winnow.domains.load import has_module, load
from winnow.learn.publishing import HTTPError
from winnow.pipeline.errors import WinnowError


def exported(domain: Programs) -> str:
    """The README.md of a model that was given away."""
    result = CliRunner().invoke(app, ["export", domain.domain, "model", "--out", "given"], catch_exceptions=False)
    assert result.exit_code == 0
    return Path("given/README.md").read_text(encoding="utf-8")


def rows_of(text: str, title: str) -> dict[str, list[str]]:
    """The cells of a table's rows, by the first one."""
    table = re.split(r"\n(?=## |<details>)", text.partition(title)[2])[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


def test_the_card_is_valid_and_tells_the_run(domain: Programs) -> None:
    text = exported(domain)
    card = ModelCard(text)  # raises where the metadata are not what the hub expects
    assert card.data.library_name == "winnow"
    assert card.data.license == "apache-2.0"
    judgement, summary = domain.metrics("judgement"), domain.metrics("evaluate")
    results = {each.metric_type: each.metric_value for each in card.data.eval_results}
    assert results == {name: judgement["model"][name] for name in summary if name in judgement["model"]}
    assert json.loads(Path("given/judgement.json").read_text()) == {**judgement, **carried_by(domain.domain)}

    shown = rows_of(text, "## Test results")
    header = shown.pop("metric")
    shown.pop("---")
    assert set(shown) == set(results)
    for name, (value, *others) in shown.items():
        assert value.startswith(f"{results[name]:.4g}")
        if name in judgement["interval"]:
            assert "({low:.4g} to {high:.4g})".format(**judgement["interval"][name]) in value
        for baseline, told in zip(header[1:], others, strict=True):
            stored = judgement["baseline"][baseline.replace("\\", "")].get(name)
            assert told == ("" if stored is None else f"{stored:.4g}")
    headline = next(name.removesuffix("_baseline") for name in summary if name.endswith("_baseline"))
    assert shown[headline][1] == f"{summary[headline + '_baseline']:.4g}", "the strongest baseline is not the first"
    values = [float(each) for each in shown[headline][1:] if each]
    assert values in (sorted(values), sorted(values, reverse=True)), "baselines from the strongest to the weakest"
    assert f"**{judgement['verdict']}**" in text
    assert "\\`" not in text, "a name that a reason quotes as code shows a backslash"
    assert f"learning rate {domain.section('train').learning_rate}" in text
    if has_module(domain.domain, "card"):
        about = load(domain.domain, "card").CARD
        assert f"Embedded synthetic data: {about.synthetic}. The figures say nothing about real {about.row}." in text
        assert "drawn" in about.synthetic
        assert len(about.row.split()) <= 2, "what a row is"
    counts = rows_of(text, "## Data")["split"][0]
    assert f"train {domain.metrics('split')['rows_train']:,}" in counts
    for heading in ("Training", "Use", "Limits", "Licence"):
        assert f"## {heading}\n\n" in text


def test_the_commands_of_the_card_exist_and_name_the_model(domain: Programs) -> None:
    commands = re.findall(rf"    winnow {domain.domain} (\S+).*", exported(domain))
    infos = load(domain.domain, "cli").app.registered_commands if has_module(domain.domain, "cli") else []
    verbs = {info.name or info.callback.__name__ for info in infos}
    assert len(commands) == 2
    assert {each.removesuffix("--help") for each in commands} <= verbs | {""}


def test_the_card_is_followed_in_a_folder_that_is_no_checkout(
    domain: Programs, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Word for word where a command takes no file; nothing that it names is unknown to the model."""
    text = exported(domain)
    first = next(line.strip() for line in text.splitlines() if line.startswith(f"    winnow {domain.domain} "))
    _, name, *command = shlex.split(first)
    assert command[-2:] == ["--model", "."]
    away = tmp_path_factory.mktemp("away")
    shutil.copytree("given", away, dirs_exist_ok=True)
    monkeypatch.chdir(away)
    result = CliRunner().invoke(load(name, "cli").app, command)
    if any("." in word[1:] for word in command):
        assert "does not exist" in str(result.exception)
        assert "The file of these commands is yours: " in text
        return
    assert result.exit_code == 0, result.output
    assert "not known" not in result.output
    assert "not evaluated" not in result.output


def test_the_readme_that_training_writes_tells_its_settings_and_validation(domain: Programs) -> None:
    text = Path("data", domain.domain, "train/model/README.md").read_text(encoding="utf-8")
    best = json.loads(Path("metrics", domain.domain, "train/metrics.json").read_text())
    shown = rows_of(text, "## Validation")
    assert {name: value for name, (value,) in shown.items() if name in best["val"]} == {
        name: f"{value:.4g}" for name, value in best["val"].items() if isinstance(value, float)
    }
    assert f"learning rate {domain.section('train').learning_rate}" in text
    assert f"winnow export {domain.domain} model" in text


def test_own_data_are_named_and_their_licence_is_not_ours(domain: Programs) -> None:
    source = {"format": "x", "path": f"data/source/{domain.domain}/<b>a|b`@me.csv"}
    params = {f"{domain.domain}.ingest": {"sources": [source]}}
    lock = {"stages": {f"ingest@{domain.domain}": {"params": {"params.yaml": params}}}}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))
    text = exported(domain)
    card = ModelCard(text)
    assert card.data.license == "other"
    assert "synthetic" not in text.partition("## Data")[2].partition("## Training")[0]
    (line,) = (line for line in text.splitlines() if line.startswith("Sources:"))
    assert "<b>" not in line
    assert "a\\|b\\`" in line
    assert "Apache-2.0, as winnow" not in text


def test_a_model_that_was_not_evaluated_gets_no_card(domain: Programs) -> None:
    with Path("data", domain.domain, "train/model/config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(WinnowError, match="not the one that was evaluated"):
        exported(domain)
    assert not Path("given").exists()


def test_publish_without_a_network_lists_what_it_would_send(domain: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.HfApi.whoami", unreachable)
    command = ["publish", domain.domain, "--repo", "me/model"]
    result = CliRunner().invoke(app, [*command, "--dry-run"], catch_exceptions=False)
    assert "cannot be reached" in result.stdout
    assert "nothing was uploaded" in result.stdout
    with pytest.raises(WinnowError, match="cannot be reached"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def unreachable(_: object) -> None:
    raise HTTPError("no route")


def test_publish_lists_the_card_and_sends_nothing_when_dry(domain: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("winnow.learn.publishing._logged_in", lambda _: None)
    command = ["publish", domain.domain, "--repo", "me/model", "--dry-run"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert f"README.md  {len(exported(domain).encode()):,} bytes" in result.stdout
    assert "nothing was uploaded" in result.stdout
