"""The noise of training seeds: which experiments it is measured from. (Real ones are in tests/pipeline.)"""

import json
import subprocess
from pathlib import Path
from statistics import stdev

import pytest

from tests.library.compare.conftest import git
from winnow.compare import noise
from winnow.compare.experiments import Experiment
from winnow.pipeline.errors import WinnowError


@pytest.fixture
def queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Evaluated results, a DVC that records the names of queued experiments, and experiments of others beside them."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    subprocess.run(["dvc", "init", "-q"], check=True)
    git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "start")
    Path("metrics/climb").mkdir(parents=True)
    Path("params.yaml").write_text("seed: 1\nclimb:\n  train:\n    seed: 4\n")
    Path("metrics/climb/evaluate.json").write_text(json.dumps({"mae": 0.5, "mae_low": 0.4}))
    Path("metrics/climb/judgement.json").write_text(json.dumps({"model": {"mae": 0.5}}))
    names: list[str] = []

    def dvc(*arguments: str) -> None:
        if "--queue" in arguments:
            names.append(arguments[arguments.index("--name") + 1])
            assert arguments[-1] == f"climb.train.seed={names[-1].rpartition('-')[2]}"

    def experiments(domain: str, commits: int) -> tuple[list[Experiment], list[str]]:
        own = [Experiment(name, {}, "PASS", {"mae": 0.5 + step / 10}) for step, name in enumerate(names, start=1)]
        same_params = [Experiment(name, {"seed": 1, "train.seed": 5}, "PASS", {"mae": 9.0}) for name in ("a", "z")]
        return [*same_params, *own], []

    monkeypatch.setattr(noise, "_dvc", dvc)
    monkeypatch.setattr(noise, "stale_stages", dict)
    monkeypatch.setattr(noise, "queued_experiments", lambda: 0)
    monkeypatch.setattr(noise, "read_experiments", experiments)
    return names


def test_only_its_own_experiments_count(queued: list[str]) -> None:
    file = noise.measure_noise("climb", 3)
    assert len(set(queued)) == 2
    assert json.loads(file.read_text())["standard_deviation"] == {"mae": pytest.approx(stdev([0.5, 0.6, 0.7]))}
    noise.measure_noise("climb", 3)
    assert len(set(queued)) == 4, "names are new in every measurement"


def test_an_experiment_without_a_result_is_named(queued: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "read_experiments", lambda *_: ([], []))
    with pytest.raises(WinnowError, match="no result of noise-climb-.*-5, noise-climb-.*-6"):
        noise.measure_noise("climb", 3)
    assert not Path("metrics/climb/noise.json").exists()


def test_a_queue_of_others_is_not_run(queued: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "queued_experiments", lambda: 2)
    with pytest.raises(WinnowError, match="DVC's queue holds 2 experiment"):
        noise.measure_noise("climb", 3)
    assert not queued


def test_only_what_the_metrics_depend_on_must_be_current(queued: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stale = {"train@retina": ["its code has changed"], "plot@climb": ["its code has changed"]}
    monkeypatch.setattr(noise, "stale_stages", lambda: stale)
    noise.measure_noise("climb", 2)
    assert len(queued) == 1, "another domain's stages, and pictures, change no metric of climb"
    stale["label@climb"] = ["it has never run"]
    with pytest.raises(WinnowError, match="the results of label@climb are stale"):
        noise.measure_noise("climb", 2)


def test_what_it_was_measured_with_is_noted(queued: list[str]) -> None:
    found = json.loads(noise.measure_noise("climb", 2).read_text())
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert found["commit"] == head

    def digest(**train: object) -> str:
        return noise.params_digest({"seed": 1, "climb": {"train": {"seed": 4, **train}, "plot": {"dpi": 9}}}, "climb")

    assert found["params"] == digest() == digest(seed=5)
    assert digest(epochs=3) != digest(epochs=4)
    sections = {"evaluate": {"gate": {"headline": "mae"}, "threads": 1}, "plot": {"dpi": 9}}
    known = noise.params_digest({"seed": 1, "climb": sections}, "climb")
    for section, changed, counts in (
        ("evaluate", {"gate": {"headline": "rmse"}, "threads": 1}, False),
        ("plot", {"dpi": 10}, False),
        ("evaluate", {"gate": {"headline": "mae"}, "threads": 2}, True),
    ):
        other = noise.params_digest({"seed": 1, "climb": sections | {section: changed}}, "climb")
        assert (other != known) == counts, f"{section} {changed}"
    assert queued
