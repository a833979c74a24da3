"""What a model's README and card say of the training."""

from winnow.learn.settings import told_values

VALUES = {"epochs": 12, "learning_rate": 0.003, "batch_size": 32, "seed": 1}


def test_a_training_is_told_by_its_values() -> None:
    assert told_values(VALUES | {"phases": []}) == ["epochs 12, learning rate 0.003, batch size 32, seed 1"]


def test_phases_are_told_in_place_of_the_values_that_they_replace() -> None:
    phases = [{"subset": "all", "epochs": 30, "learning_rate": 0.001}] * 2
    told = told_values(VALUES | {"phases": phases})
    assert told == [
        "phase 1: all, at most 30 epochs, learning rate 0.001",
        "phase 2: all, at most 30 epochs, learning rate 0.001",
        "batch size 32, seed 1",
    ]
