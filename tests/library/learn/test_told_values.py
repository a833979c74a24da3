"""What a model's README and card say of the training."""

import pytest

from tests.conftest import ROOT
from winnow.domains.climb.params import Params
from winnow.learn.settings import told_values
from winnow.learn.stage import told_training
from winnow.pipeline.params import Document

VALUES = {"epochs": 12, "learning_rate": 0.003, "batch_size": 32, "seed": 1}


def test_a_training_is_told_by_its_values() -> None:
    assert told_values(VALUES | {"phases": []}) == ["epochs 12, learning rate 0.003, batch size 32, seed 1"]


@pytest.mark.parametrize(("last", "told"), [(7, "; stopped early, after epoch 7"), (12, "")])
def test_a_training_that_stopped_early_is_not_told_as_if_it_had_all_its_epochs(last: int, told: str) -> None:
    params = Document(ROOT / "params.yaml").section(("climb",), Params).train.model_copy(update={"epochs": 12})
    assert told_training(params, last).partition(", learning rate")[0] == "epochs 12"
    assert "".join(told_training(params, last).partition("; stopped")[1:]) == told


def test_phases_are_told_in_place_of_the_values_that_they_replace() -> None:
    phases = [{"subset": "all", "epochs": 30, "learning_rate": 0.001}] * 2
    told = told_values(VALUES | {"phases": phases})
    assert told == [
        "phase 1: all, at most 30 epochs, learning rate 0.001",
        "phase 2: all, at most 30 epochs, learning rate 0.001",
        "batch size 32, seed 1",
    ]
