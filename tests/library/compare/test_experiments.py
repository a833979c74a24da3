"""Experiments by setting: what is grouped, what is spread, what is told."""

import json
import subprocess
from statistics import stdev
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import ROOT
from winnow.cli.app import app
from winnow.compare.experiments import Experiment, as_markdown, as_records, read_experiments, summarize
from winnow.pipeline.errors import WinnowError


def experiment(name: str, score: float, **params: Any) -> Experiment:
    return Experiment(name, {key.replace("__", "."): value for key, value in params.items()}, "PASS", {"f1": score})


GRID = [
    experiment("a", 0.5, train__rate=0.01, train__seed=1, train__epochs=3),
    experiment("b", 0.7, train__rate=0.01, train__seed=2, train__epochs=3),
    experiment("c", 0.2, train__rate=0.001, train__seed=1, train__epochs=3),
]


def test_settings_are_the_params_that_differ_apart_from_the_seeds_in_the_order_of_numbers() -> None:
    rare, common = summarize(GRID, ["f1"])
    assert (rare.params, rare.values) == ({"train.rate": 0.001}, {"f1": [0.2]})
    assert (common.params, common.values) == ({"train.rate": 0.01}, {"f1": [0.5, 0.7]})


def test_seeds_and_folds_repeat_a_setting_and_the_number_of_folds_does_not() -> None:
    repeated = [
        Experiment(f"{seed}{train}{fold}", {"seed": seed, "train.seed": train, "split.fold": fold}, "PASS", {"f1": 0.5})
        for seed, train, fold in ((1, 1, 0), (1, 1, 1), (1, 2, 0), (2, 1, 0))
    ]
    (setting,) = summarize(repeated, ["f1"])
    assert (setting.params, len(setting.values["f1"])) == ({}, 4)
    cut = [experiment(name, 0.5, split__folds=folds) for name, folds in (("a", 3), ("b", 5))]
    assert [each.params for each in summarize(cut, ["f1"])] == [{"split.folds": 3}, {"split.folds": 5}]


def test_the_same_run_twice_counts_once() -> None:
    again = experiment("d", 0.7, train__rate=0.01, train__seed=2, train__epochs=3)
    assert [setting.values["f1"] for setting in summarize([*GRID, again], ["f1"])] == [[0.2], [0.5, 0.7]]


def test_a_param_that_some_experiments_lack_is_a_setting_of_its_own() -> None:
    older = experiment("d", 0.9, train__seed=1, train__epochs=3)
    assert [setting.params["train.rate"] for setting in summarize([*GRID, older], ["f1"])] == [0.001, 0.01, None]


def test_the_table_gives_mean_and_spread_and_one_run_has_none() -> None:
    assert as_markdown(summarize(GRID, ["f1"])).splitlines() == [
        "| train.rate | runs | f1            | verdicts |",
        "| ---------- | ---- | ------------- | -------- |",
        "| 0.001      | 1    | 0.200         | 1 PASS   |",
        "| 0.01       | 2    | 0.600 ± 0.141 | 2 PASS   |",
    ]
    records = as_records(summarize(GRID, ["f1"]))
    assert records[0]["metrics"]["f1"]["standard_deviation"] is None
    assert records[1]["metrics"]["f1"]["standard_deviation"] == pytest.approx(stdev([0.5, 0.7]))


def test_a_wrong_metric_is_told_with_the_nearest() -> None:
    with pytest.raises(WinnowError, match="no metric `f2`"):
        summarize(GRID, ["f2"])


def commit(score: float | None, **params: Any) -> dict[str, Any]:
    """What `dvc exp show --json` tells of a commit or an experiment."""
    judged = {"metrics/climb/evaluate.json": {"data": {"verdict": "PASS", "f1": score}}}
    return {
        "params": {"params.yaml": {"data": {"seed": 1, "climb": {"train": params}}}},
        "metrics": judged if score is not None else {},
    }


def shown(name: str, data: dict[str, Any] | None, state: str = "success") -> dict[str, Any]:
    return {"name": name, "revs": [{"rev": "0" * 40, "data": data}], "executor": {"state": state}}


def test_what_is_not_finished_or_not_evaluated_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [
        {"name": None, "data": commit(0.5, epochs=3), "experiments": None},
        {
            "data": commit(0.5, epochs=3),
            "experiments": [
                shown("evaluated", commit(0.6, epochs=4)),
                shown("unchanged", commit(0.5, epochs=3)),
                shown("only-trained", commit(0.5, epochs=5)),
                shown("waiting", None, "queued"),
                shown("broken", commit(0.9, epochs=6), "failed"),  # with the numbers of the workspace at the time
                shown("another-domain", commit(None, epochs=3)),
            ],
        },
    ]
    judged = {"model": {"f1": 0.1, "recall": 0.3, "by_grade": [1]}}

    def answer(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        if command[:2] == ["git", "show"]:
            assert command[2] == f"{'0' * 40}:./metrics/climb/judgement.json"
            return subprocess.CompletedProcess(command, 0, stdout=json.dumps(judged), stderr="")
        return subprocess.CompletedProcess(command, 0, stdout=json.dumps(told), stderr="")

    monkeypatch.setattr(subprocess, "run", answer)
    found, left_out = read_experiments("climb", 1)
    assert [(one.name, one.params, one.metrics) for one in found] == [
        ("evaluated", {"seed": 1, "train.epochs": 4}, {"f1": 0.6, "recall": 0.3}),
        ("unchanged", {"seed": 1, "train.epochs": 3}, {"f1": 0.5, "recall": 0.3}),
    ]
    assert left_out == [
        "only-trained: other params, but evaluate.json of the commit it started from (not evaluated?)",
        "waiting: queued",
        "broken: failed",
        "another-domain: no evaluate.json of this domain",
    ]


def test_outside_a_repository_dvcs_own_words_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess((), 253, stdout="", stderr="ERROR: not inside of a DVC repository")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(WinnowError, match="not inside of a DVC repository"):
        read_experiments("climb", 1)


def test_as_many_commits_are_read_as_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    log = [{"data": commit(0.5), "experiments": [shown(f"of-{number}", commit(0.6, seed=number))]} for number in "123"]

    def answer(command: list[str], **_: Any) -> "subprocess.CompletedProcess[str]":
        if command[:2] == ["git", "show"]:
            return subprocess.CompletedProcess(command, 128, stdout="", stderr="no such file")
        found = log[: int(command[command.index("--num") + 1])]
        return subprocess.CompletedProcess(command, 0, stdout=json.dumps([{}, *found]), stderr="")

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(subprocess, "run", answer)
    for options, runs in (([], 1), (["-n", "2"], 2), (["--num", "3"], 3)):
        told = CliRunner().invoke(app, ["summarize", "climb", "--metric", "f1", "--json", *options])
        (setting,) = json.loads(told.stdout)
        assert len(setting["metrics"]["f1"]["values"]) == runs
