"""Using the trained generator: new routes are new, and of what it was trained on."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
import torch

from tests.stages.programs import Programs
from winnow.domains.climb import definitions
from winnow.pipeline.errors import WinnowError

CLIMB = Programs.tiny("climb")
of_climb = pytest.mark.parametrize("finished", ["climb"], indirect=True)
REQUESTED = pd.DataFrame([{"board": "2016", "angle": 40, "grade_index": definitions.GRADE_INDEX["6C"]}] * 8)


@pytest.fixture
def generator(domain: Programs) -> Any:
    """As the command line makes it, in a folder where climb was trained."""
    from winnow.domains.climb.model.application import Generator  # noqa: PLC0415

    return Generator(torch.device("cpu"))


@of_climb
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


@of_climb
def test_the_limits_are_those_of_the_training(generator: Any) -> None:
    limits = generator.artifacts.settings.limits
    assert limits == CLIMB.section("common")
    assert generator.artifacts.settings.sampling == CLIMB.section("train").sampling
    for route in generator.new_routes(REQUESTED, seed=1):
        assert limits.min_holds <= len(route) <= limits.max_holds
        assert definitions.longest_move(route) <= limits.max_reach


@of_climb
def test_no_test_route_is_in_the_model_folder(generator: Any) -> None:
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
@of_climb
def test_what_the_model_was_not_trained_on_is_refused(generator: Any, options: dict[str, Any], message: str) -> None:
    routes = generator.artifacts.routes
    hard = routes["grade_index"] == definitions.GRADE_INDEX["8B+"]
    generator.artifacts = replace(generator.artifacts, routes=routes[~hard])
    with pytest.raises(WinnowError, match=message):
        generator.check_trained_on(**options)
    generator.check_trained_on(board="2016", angle=40, grade="6C")
