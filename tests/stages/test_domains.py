"""What holds of every domain's stages, run on the real params with less data."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.load import domain_names, load

SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "climb": {
        "ingest": {"synthetic": {"routes": 400}},
        "train": {"epochs": 1, "network": {"width": 16, "layers": 1, "heads": 2}},
        "evaluate": {
            "generation": {"per_grade": 3},
            "grade_judge": {"trees": 3},
            "bootstrap": {"resamples": 100},
        },
    },
    "retina": {
        "common": {"image_size": 32},
        "ingest": {"synthetic": {"photographs": 600, "size": 64}},
        "train": {"epochs": 1},
        "evaluate": {"explained": 1, "bootstrap": {"resamples": 100}},
    },
    "sessions": {
        "ingest": {"synthetic": {"songs": 160, "users": 90, "genres": 5, "scene_songs": 10}},
        "train": {"epochs": 1},
        "evaluate": {
            "truth_checks": 20,
            "explained_users": 1,
            "bootstrap": {"resamples": 100},
            "baselines": {"lightgcn_dims": [], "als_factors": [8]},
        },
    },
}
"""What is changed in params.yaml so that a domain's stages take seconds, by stage."""


@pytest.fixture(scope="module", params=domain_names())
def evaluated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Programs, Path]:
    """A domain's programs, and a folder in which its stages up to evaluate ran."""
    folder = tmp_path_factory.mktemp(request.param)
    programs = Programs(request.param, SMALL[request.param])
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.chdir(folder)
        enabled = torch.is_grad_enabled()
        for name in (*DATA_STAGES, "train", "evaluate"):
            programs.run(name)
        torch.set_grad_enabled(enabled)
    return programs, folder


@pytest.fixture
def domain(evaluated: tuple[Programs, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """The programs, in a copy of that folder as the working folder."""
    programs, folder = evaluated
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return programs


def test_what_is_measured_is_what_the_domain_lists(domain: Programs) -> None:
    metrics = load(domain.domain, "metrics")
    curves = Path("metrics", domain.domain, "train/plots/metrics/val")
    validated = {file.relative_to(curves).with_suffix("").as_posix() for file in curves.rglob("*.tsv")}
    grouped = {name for name in metrics.VALIDATION_METRICS if "/" in name}  # of groups without a row there is none
    assert validated <= set(metrics.VALIDATION_METRICS)
    assert set(metrics.VALIDATION_METRICS) - validated <= grouped
    assert set(domain.metrics("judgement")["model"]) == set(metrics.GATE_METRICS)


def test_evaluate_json_is_short_and_agrees_with_judgement_json(domain: Programs) -> None:
    short, whole = domain.metrics("evaluate"), domain.metrics("judgement")
    headline = domain.section("evaluate").gate.headline
    assert len(short) <= 12
    assert short["verdict"] == whole["verdict"]
    assert short[headline] == whole["model"][headline]
    bounds = whole["interval"][headline]
    assert (short[f"{headline}_low"], short[f"{headline}_high"]) == (bounds["low"], bounds["high"])
    assert short[f"{headline}_baseline"] in [values[headline] for values in whole["baseline"].values()]
    assert set(whole["difference"][headline]) == set(whole["baseline"])
    assert all(condition.metric in whole["interval"] for condition in domain.section("evaluate").gate.conditions)
    assert not set(whole["reference"]) & set(whole["baseline"])
