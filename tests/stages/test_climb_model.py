"""Using the trained generator: new routes are new, and of what it was trained on; evaluate runs on a small model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.climb import definitions
from winnow.pipeline.errors import WinnowError

CLIMB = Programs.tiny("climb")
REQUESTED = pd.DataFrame([{"board": "2016", "angle": 40, "grade_index": definitions.GRADE_INDEX["6C"]}] * 8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which climb was trained and evaluated."""
    path = tmp_path_factory.mktemp("climb")
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        patch.chdir(path)
        for stage in (*DATA_STAGES, "train"):
            CLIMB.run(stage)
        small = {"generation": {"per_grade": 3}, "grade_judge": {"trees": 5}}
        CLIMB.run("evaluate", **small, bootstrap={"resamples": 100, "confidence": 0.95})
        CLIMB.run("plot", dpi=30)
    return path


@pytest.fixture
def generator(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder)
    from winnow.domains.climb.model.application import Generator  # noqa: PLC0415

    return Generator(torch.device("cpu"))


def test_generated_routes_are_distinct_and_no_training_route(generator: Any) -> None:
    """Routes that it would generate are made training routes: it then generates others."""
    first = generator.new_routes(REQUESTED, seed=0)
    assert len({tuple(route) for route in first}) == len(REQUESTED)
    known = generator.artifacts
    ids = [f"known {number}" for number in range(len(first))]
    routes = (
        known.routes.head(1)
        .loc[[0] * len(first)]
        .assign(route_id=ids, board="2016", angle=40, split="train", grade_index=3)
    )
    tokens = pd.DataFrame(
        [(name, *pair) for name, cells in zip(ids, first, strict=True) for pair in enumerate(cells)],
        columns=["route_id", "position", "token"],
    )
    generator.artifacts = replace(
        known, routes=pd.concat([known.routes, routes]), tokens=pd.concat([known.tokens, tokens])
    )
    again = generator.new_routes(REQUESTED, seed=0)
    assert len(again) == len(REQUESTED)
    assert not {tuple(route) for route in again} & {tuple(route) for route in first}


def test_the_limits_are_those_of_the_training(generator: Any) -> None:
    limits = generator.artifacts.settings.limits
    assert limits == CLIMB.section("common")
    assert generator.artifacts.settings.sampling == CLIMB.section("train").sampling
    for route in generator.new_routes(REQUESTED, seed=1):
        assert limits.min_holds <= len(route) <= limits.max_holds
        assert definitions.longest_move(route) <= limits.max_reach


def test_no_test_route_is_in_the_model_folder(generator: Any, folder: Path) -> None:
    sides = CLIMB.table("split/splits.parquet").set_index("route_id")["split"]
    assert set(generator.artifacts.routes["route_id"]) == set(sides.index[sides != "test"])
    assert set(generator.artifacts.tokens["route_id"]) == set(sides.index[sides != "test"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"board": "2016", "angle": 25, "grade": "6C"}, "trained on no route of board 2016 at 25°"),
        ({"board": "2016", "angle": 40, "grade": "8B+"}, "trained on no route of grade 8B"),
    ],
)
def test_what_the_model_was_not_trained_on_is_refused(generator: Any, options: dict[str, Any], message: str) -> None:
    routes = generator.artifacts.routes
    hard = routes["grade_index"] == definitions.GRADE_INDEX["8B+"]
    generator.artifacts = replace(generator.artifacts, routes=routes[~hard])
    with pytest.raises(WinnowError, match=message):
        generator.check_trained_on(**options)
    generator.check_trained_on(board="2016", angle=40, grade="6C")
