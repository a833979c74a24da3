"""A training's params."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from tests.library.learn import tiny


def test_plain_fields_make_one_phase() -> None:
    (phase,) = tiny.settings(epochs=7, learning_rate=2e-05).curriculum
    assert (phase.subset, phase.epochs, phase.learning_rate) == ("all", 7, 2e-5)


def test_listed_phases_stand_in_for_them() -> None:
    phases = [
        {"subset": "half", "epochs": 3, "learning_rate": 0.1},
        {"subset": "all", "epochs": 2, "learning_rate": 0.01},
    ]
    assert [phase.subset for phase in tiny.settings(phases=phases).curriculum] == ["half", "all"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "greater than or equal to 1"),
        ({"early_stopping__metric": "goodness"}, "does not imply whether higher or lower"),
        ({"scheduler__name": "linear"}, "cosine_warm_restarts"),
        ({"subset": "none"}, "there is no subset 'none'; known: all, half"),
        ({"scheduler__factor": 1.0}, "less than 1"),
        ({"momentum": 0.9}, "Extra inputs"),
    ],
)
def test_what_may_not_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny.settings(**changes)


def test_reading_params_loads_no_torch() -> None:
    code = "import sys; import winnow.learn.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": "src"}, check=False).returncode == 0
