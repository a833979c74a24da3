"""The commands of the README, as a person types them."""

import csv
import json
import math
import re
import shlex
import shutil
from statistics import stdev
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.pipeline.conftest import Clone, wait_until
from tests.pipeline.test_bad_input import export
from winnow.domains.climb import cli, definitions
from winnow.domains.climb.source.formats import read as problems_of
from winnow.pipeline.errors import WinnowError


def test_experiments_metrics_params_and_plots(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "plot@climb", "-S", "climb.train.epochs=2", "-S", "climb.train.learning_rate=2e-3")
    params = json.loads(clone.run("dvc", "params", "diff", "--json").stdout)
    assert params["params.yaml"]["climb.train.epochs"] == {"old": 12, "new": 2, "diff": -10}
    metrics = json.loads(clone.run("dvc", "metrics", "diff", "--json").stdout)
    assert metrics["metrics/climb/evaluate.json"]["perplexity"]["diff"] > 0
    assert set(metrics) == {"metrics/climb/evaluate.json", "metrics/climb/train/metrics.json"}
    assert sum(len(rows) for rows in metrics.values()) <= 15
    shown = clone.run("dvc", "exp", "show", "--csv").stdout
    names = next(csv.reader(shown.splitlines()))
    assert "climb.train.epochs" in names
    assert any(name.rpartition(":")[2] == "perplexity" for name in names)
    clone.run("dvc", "plots", "show", "--out", "pages")
    page = (clone.root / "pages/index.html").read_text()
    for curve in ("train/loss", "val/loss_by_grade", "val/loss_by_quality", "generated_routes.png", "hold_heatmap.png"):
        assert curve in page, f"{curve} is not on the page of `dvc plots show`"
    vega = clone.run("dvc", "plots", "diff", "HEAD", "--targets", "climb loss", "--show-vega").stdout
    shown_revisions = [point["rev"] for point in json.loads(vega)["data"]["values"]]
    assert {name: shown_revisions.count(name) for name in shown_revisions} == {"HEAD": 2 * 12, "workspace": 2 * 2}


def test_own_data_go_the_way_of_the_readme(clone: Clone) -> None:
    """Every line of its section is typed as it stands; then experiments run on the data."""
    section = (ROOT / "README.md").read_text().partition("\n## Your own data\n")[2].partition("\n## ")[0]
    mine = "data/source/climb/my_export.json"
    data = export(200)
    for row in data["Data"]:
        row["Holdsetup"]["Id"] = 1  # the board of 2016
        row["Grade"] = row["Grade"].replace("6B+", "6C+")
    data["Data"][0]["Grade"] = "the hardest"
    (clone.root / "my_export.json").write_text(json.dumps(data))
    printed = {command: clone.run(*shlex.split(command, comments=True)).stdout for command in commands(section)}
    assert json.loads((clone.root / "metrics/climb/ingest.json").read_text())["by_source"] == {"web": 200}
    lines = printed["winnow rows climb"].splitlines()
    (place,) = (number for number, line in enumerate(lines) if line.split() == ["1", "unknown_grade"])
    assert "name P0," in lines[place + 1]
    judged = judgement(clone)
    assert all(reason in printed["winnow status climb --reasons"] for reason in judged["reasons"])
    assert "climb: " + judged["verdict"] in printed["winnow status climb --reasons"]
    assert "1 source, current" in printed["winnow status climb --reasons"]
    staged = clone.run("git", "diff", "--cached", "--name-only").stdout.split()
    assert staged == ["data/source/climb/.gitignore", f"{mine}.dvc", "params.yaml"]
    clone.commit("my data")
    assert mine not in clone.run("git", "ls-files").stdout.split()
    assert f"{mine}.dvc" in clone.run("git", "ls-files").stdout.split()
    clone.run("dvc", "exp", "run", "--temp", "ingest@climb", "-S", "climb.ingest.max_rejected_share=0.5")
    assert len(clone.run("dvc", "exp", "list", "--name-only").stdout.split()) == 1


PAGES = ("README.md", "docs/pipeline.md", "docs/pull-requests.md")
ELSEWHERE = re.compile(
    r"dvc (repro|exp run|queue|metrics|params|plots)|winnow (run|serve|init|noise|export|summarize|rows|climb|report)"
    r"|winnow board climb retina|winnow compare main( my-experiment)?$|winnow status( climb)? --reasons"
    r"|.* --apply$"
)
"""What other tests type, in this file, test_workflows.py, test_run.py and test_serve.py, or what needs another domain
than this clone has."""


def test_the_guides_commands_about_results_end_well(clone: Clone) -> None:
    """As they stand in the README and the two pages on results, one after another."""
    typed = dict.fromkeys(
        part.strip()
        for page in PAGES
        for line in commands((ROOT / page).read_text())
        for part in re.sub(r"\s#\s.*", "", line).split(";")
        if part.split()[:1] in (["winnow"], ["dvc"], ["python"]) and not ELSEWHERE.match(part.strip())
    )
    assert {"winnow board", "winnow status --check", "dvc exp show", "winnow preset climb list"} <= set(typed)
    assert len(typed) < 16, f"each takes a second or two: {list(typed)}"
    for command in typed:
        words = shlex.split(command)
        done = clone.run(*words, expect=None)
        assert done.returncode == 0 or words[1:] == ["doctor"], f"{command}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr, command
        assert done.stdout.strip() or words[0] == "dvc", f"{command} says nothing"
    assert (clone.root / "build/board.html").exists()
    assert (clone.root / "stale.json").exists()


def commands(text: str) -> list[str]:
    """The lines of a page's indented blocks."""
    return [line.strip() for line in text.splitlines() if line.startswith("    ")]


def judgement(clone: Clone) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((clone.root / "metrics/climb/judgement.json").read_text())
    return found


def test_plots_show_while_a_training_runs(clone: Clone) -> None:
    shutil.rmtree(clone.root / ".winnow")
    shutil.rmtree(clone.root / "metrics/climb/train")
    running = clone.start("dvc", "repro", "--force", "--single-item", "train@climb")
    try:
        curve = clone.root / "metrics/climb/train/plots/metrics/val/loss.tsv"
        wait_until(lambda: curve.exists() and curve.read_text().count("\n") >= 2, "the first points of a curve")
        clone.run("dvc", "plots", "show", "--out", "pages")
        assert "val/loss" in (clone.root / "pages/index.html").read_text()
    finally:
        clone.kill_all(running)


def test_two_devices_train_one_model_by_the_same_command(clone: Clone) -> None:
    told = clone.run("dvc", "exp", "run", "train@climb", "-S", "runtime.devices=2", "-S", "climb.train.epochs=2")
    assert "processes: 2" in told.stdout + told.stderr
    metrics = json.loads((clone.root / "metrics/climb/train/metrics.json").read_text())
    assert metrics["step"] == 2


@pytest.mark.long
def test_the_noise_of_training_seeds_is_measured_by_queued_experiments(clone: Clone) -> None:
    told = clone.run("winnow", "noise", "climb", "--seeds", "2").stdout
    assert told.count("Queued experiment") == 1
    assert len(clone.run("dvc", "exp", "list", "--name-only").stdout.split()) == 1
    (setting,) = json.loads(clone.run("winnow", "summarize", "climb", "--metric", "perplexity", "--json").stdout)
    (other,) = setting["metrics"]["perplexity"]["values"]
    own = json.loads((clone.root / "metrics/climb/evaluate.json").read_text())["perplexity"]
    assert own != other
    noise = json.loads((clone.root / "metrics/climb/noise.json").read_text())
    assert noise["seeds"] == 2
    assert noise["standard_deviation"]["perplexity"] == pytest.approx(stdev([own, other]), rel=1e-4)
    (setting,) = json.loads(clone.run("winnow", "summarize", "climb", "--metric", "token_loss", "--json").stdout)
    assert setting["metrics"]["token_loss"]["mean"] == pytest.approx(math.log(other), abs=1e-4)
    shown = clone.run("winnow", "summarize", "climb").stdout.splitlines()
    assert len(shown) == 3
    assert shown[0].startswith("| runs | perplexity ")


def test_noise_runs_nobody_elses_experiments(clone: Clone) -> None:
    clone.run("dvc", "exp", "run", "--queue", "plot@climb", "-S", "climb.plot.dpi=83")
    told = clone.run("winnow", "noise", "climb", "--seeds", "2", expect=1)
    assert "DVC's queue holds 1 experiment(s), which would be run too" in told.stderr
    assert clone.run("dvc", "queue", "status").stdout.count("Queued") == 1


def test_noise_is_not_measured_beside_stale_results(clone: Clone) -> None:
    clone.override({"climb.train.epochs": 11})
    told = clone.run("winnow", "noise", "climb", "--seeds", "2", expect=1)
    assert "the results of train@climb are stale" in told.stderr
    assert "Queued" not in told.stdout


def test_generate_writes_new_possible_routes(clone: Clone) -> None:
    ask = ("winnow", "climb", "generate", "--grade", "6C+", "--count", "4", "--board", "2017", "--angle", "25")
    told = clone.run(*ask, "--json").stdout
    first = json.loads(told)
    assert told == json.dumps(first, indent=2) + "\n"
    assert json.loads(clone.run(*ask, "--json", "--seed", "1").stdout) != first
    assert len({tuple(hold["hold"] for hold in route["holds"]) for route in first}) == 4
    for route in first:
        assert (route["board"], route["angle"], route["grade"]) == ("2017", 25, "6C+")
        roles = [hold["role"] for hold in route["holds"]]
        assert roles[0] == "start"
        assert roles[-1] == "finish"
    told = clone.run(*ask, "--png", "routes.png", "--app", "routes.json").stdout
    listed = problems_of("app", clone.root / "routes.json")
    assert listed.routes[["board", "angle", "grade"]].drop_duplicates().to_numpy().tolist() == [["2017", 25, "6C+"]]
    holds = [dict(zip(own["hold"], own["role"], strict=True)) for _, own in listed.holds.groupby("row")]
    assert holds == [{hold["hold"]: hold["role"] for hold in route["holds"]} for route in first]
    assert told.count("6C+") == 4
    assert "drawn in routes.png" in told
    with Image.open(clone.root / "routes.png") as picture:
        colours = {colour for _, colour in picture.convert("RGB").getcolors(maxcolors=1_000_000)}
    assert {(26, 166, 75), (33, 102, 209), (215, 38, 61)} <= colours


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("generate", "--grade", "6B", "--board", "2018"), "there is no board 2018"),
        (("generate", "--grade", "6B", "--angle", "30"), "there is no angle 30"),
        (("generate", "--grade", "6B", "--png", "a.svg"), "a.svg is not the name of a PNG file"),
        (("evaluate", "nowhere.json"), "nowhere.json is no file"),
        (("evaluate", "params.schema.json"), "looks like none of the formats"),
    ],
)
def test_wrong_options_are_errors(
    finished: Clone, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(finished.root)
    done = CliRunner().invoke(cli.app, arguments)
    assert isinstance(done.exception, WinnowError)
    assert told in str(done.exception)


def test_an_error_is_one_message(finished: Clone) -> None:
    done = finished.run("winnow", "climb", "generate", "--grade", "V5", expect=1)
    assert "the V grade V5 is 6C or 6C+" in done.stderr
    assert "Traceback" not in done.stderr


def test_evaluate_judges_another_export_and_leaves_out_what_was_trained_on(clone: Clone) -> None:
    clone.run("winnow", "export", "climb", "split", "--out", "csv")
    with (clone.root / "csv/moonboard_train.csv").open() as file:
        known = next(row for row in csv.DictReader(file) if row["board"] == "2017")
    data = export(60)
    holds = known["holds"].split()
    again = {**data["Data"][0], "Grade": known["grade"]}
    again["Moves"] = [
        {"Id": i, "Description": hold, "IsStart": i == 0, "IsEnd": i == len(holds) - 1} for i, hold in enumerate(holds)
    ]
    data["Data"].append(again)
    (clone.root / "other.json").write_text(json.dumps(data))
    found = json.loads(clone.run("winnow", "climb", "evaluate", "other.json", "--json").stdout)
    assert found["routes"] == {
        "in_file": 61, "rejected": 0, "repeated": 0, "dropped": 0, "untrained": 0, "trained_on": 1, "judged": 60,
    }  # fmt: skip
    assert found["all"]["perplexity"] > 1
    assert sum(part["routes"] for part in found["by_grade"].values()) == 60
    assert "perplexity" in clone.run("winnow", "climb", "evaluate", "other.json", "--format", "web").stdout


def test_export_writes_the_files_of_the_guide(finished: Clone, tmp_path: object) -> None:
    told = finished.run("winnow", "export", "climb", "split", "--format", "csv", "--out", str(tmp_path)).stdout
    names = {line.rpartition("/")[2] for line in told.split()}
    subsets = ("", "_benchmark", "_quality")
    assert names == {f"moonboard_{side}{subset}.csv" for side in ("train", "val", "test") for subset in subsets} | {
        "quality_weights.csv"
    }


def test_status_names_every_domain_with_its_reasons(finished: Clone) -> None:
    told = finished.run("winnow", "status", "--reasons").stdout.splitlines()
    assert told[0].startswith("climb: ")
    assert "perplexity" in told[0]
    assert told[1:] == [f"  {reason}" for reason in judgement(finished)["reasons"]]


def test_the_grades_of_the_readme_are_grades() -> None:
    assert definitions.parse_grade("6c+") == "6C+"
