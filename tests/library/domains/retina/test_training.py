"""What a training of the grader really does, by its effect: loss, learning rates, variation, views, draws, metrics."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pydantic import ValidationError
from sklearn.metrics import cohen_kappa_score, f1_score
from torch import nn

from tests.conftest import ROOT
from winnow.domains.retina import definitions
from winnow.domains.retina.model.training import GraderTask
from winnow.domains.retina.params import Train
from winnow.images.codec import encode_png
from winnow.images.store import read_images, write_images
from winnow.learn.optimizer_step import OptimizerStep
from winnow.learn.samplers import BatchShare
from winnow.vision import backbones
from winnow.vision.loaders import decode
from winnow.vision.pooling import Standardise

GRADES = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 3, 4, 0, 1, 2, 3, 4, 0, 4])
SPLITS = np.array(["train"] * 13 + ["val"] * 5 + ["test"] * 2)
CLASS_WEIGHTS = [0.3, 1.1, 0.7, 2.5, 1.9]
ALL = BatchShare(13, 1, 1, 0)

Make = Callable[..., GraderTask]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A training on 20 random pictures, with some of params.yaml's values changed (`network__head`)."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with write_images(tmp_path / "images.arrow") as images:
        for number in range(len(GRADES)):
            images.add(f"{number:02}", encode_png(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)))
    train = SPLITS == "train"
    times = np.bincount(GRADES[train], minlength=5)
    weight = np.where(train, train.sum() / 5 / times[GRADES], np.nan)
    photographs = pd.DataFrame(
        {"image_id": [f"{n:02}" for n in range(20)], "grade": GRADES, "split": SPLITS, "weight": weight}
    )

    def made(**changes: Any) -> GraderTask:
        values = yaml.safe_load((ROOT / "params.yaml").read_text())["retina"]["train"]
        for key, value in changes.items():
            *path, leaf = key.split("__")
            section = values
            for name in path:
                section = section[name]
            section[leaf] = value
        return GraderTask(
            photographs=photographs,
            images=read_images(tmp_path / "images.arrow"),
            class_weights=torch.tensor(CLASS_WEIGHTS),
            preparation=definitions.Preparation(32, crop=True, contrast=False),
            limits=definitions.QualityLimits(20.0, 200.0, 0.3, 8.0, 28),
            seen=pd.DataFrame(),
            params=Train.model_validate(values),
            device=torch.device("cpu"),
        )

    return made


def frozen(**changes: Any) -> dict[str, Any]:
    """Changes that freeze the first two blocks, with any weights."""
    torch.manual_seed(0)
    torch.save(backbones.build("small_resnet").blocks.state_dict(), "data.pt")
    Path("data/source/retina/models").mkdir(parents=True, exist_ok=True)
    Path("data.pt").replace("data/source/retina/models/any.pt")
    weights = {"network__weights": "data/source/retina/models/any.pt", "network__frozen_blocks": 2}
    return {**weights, "augment__colour": 0.0, **changes}


def passed_on(inputs: torch.Tensor, start: int) -> torch.Tensor:
    """A network whose inputs are its logits."""
    assert start == 0
    return inputs


def by_hand(logits: list[float], grade: int, head: str, gamma: float, spread: float) -> float:
    """The focal loss of one row, written out; `spread` is the standard deviation of the label around the grade."""
    if head == "softmax":
        near = [math.exp(-((g - grade) ** 2) / (2 * spread**2)) if spread else float(g == grade) for g in range(5)]
        each = [math.exp(logit) / sum(map(math.exp, logits)) for logit in logits]
        return -sum(n / sum(near) * (1 - p) ** gamma * math.log(p) for n, p in zip(near, each, strict=True))
    total = 0.0
    for step, logit in enumerate(logits):
        if grade >= step:
            above = 1 / (1 + math.exp(-logit))
            p = above if grade > step else 1 - above
            total -= (1 - p) ** gamma * math.log(p)
    return total


@pytest.mark.parametrize("class_weights", [True, False])
@pytest.mark.parametrize(
    ("head", "gamma", "spread"),
    [("softmax", 2.0, 0.0), ("softmax", 0.0, 0.0), ("softmax", 1.0, 0.8), ("corn", 1.5, 0.0), ("corn", 0.0, 0.0)],
)
def test_the_loss_is_the_sum_of_weighted_focal_losses_of_rows(
    make: Make, head: str, gamma: float, spread: float, class_weights: bool
) -> None:
    changes = {"network__head": head, "loss__gamma": gamma, "loss__label_spread": spread}
    training = make(**changes, use_class_weights=class_weights)
    grades = torch.tensor([0, 1, 2, 3, 4, 4, 0])
    logits = torch.randn(7, 5 if head == "softmax" else 4, generator=torch.Generator().manual_seed(1))
    rows = [
        by_hand(row, grade, head, gamma, spread) for row, grade in zip(logits.tolist(), grades.tolist(), strict=True)
    ]
    weights = [CLASS_WEIGHTS[grade] if class_weights else 1.0 for grade in grades.tolist()]
    expected = sum(w * row for w, row in zip(weights, rows, strict=True))

    found = training.loss(passed_on, {"inputs": logits, "grades": grades, **training.constants})  # type: ignore[arg-type]
    assert float(found.total) == pytest.approx(expected, rel=1e-5)
    assert found.count == 7
    measured = training.metrics({"logits": logits, "grades": grades})
    assert measured["loss"] == pytest.approx(expected / 7, rel=1e-5)


def test_training_f1_and_shares_are_those_of_the_rows_drawn(make: Make) -> None:
    training = make(network__head="softmax", network__decision="likeliest")
    grades = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3, 4])
    said = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3, 0, 0, 0])
    logits = 5 * nn.functional.one_hot(said, 5).float()
    batch = {"inputs": logits, "grades": grades}
    found = training.loss(passed_on, batch)  # type: ignore[arg-type]
    means = {name: float(value) / 12 for name, value in found.parts.items()} | {"loss": 0.5}
    epoch = training.summarise(means)
    f1 = f1_score(grades, said, labels=range(5), average=None, zero_division=0)
    assert [epoch[f"f1/{grade}"] for grade in range(5)] == pytest.approx(f1.tolist())
    shares = [epoch[f"drawn_share/{grade}"] for grade in range(5)]
    assert shares == pytest.approx([4 / 12, 2 / 12, 2 / 12, 3 / 12, 1 / 12])
    assert epoch["accuracy"] == pytest.approx((grades == said).float().mean().item())
    assert epoch["loss"] == 0.5


def test_training_and_validation_f1_follow_one_rule(make: Make) -> None:
    """.4, .05, .05, .2, .3: grade 0 is the likeliest, 2 the median."""
    torn = torch.tensor([[0.4, 0.05, 0.05, 0.2, 0.3]]).log()
    for rule, grade in (("likeliest", 0), ("median", 2)):
        training = make(network__head="softmax", network__decision=rule)
        grades = torch.tensor([grade])
        assert training.loss(passed_on, {"inputs": torn, "grades": grades}).parts[f"right/{grade}"] == 1  # type: ignore[arg-type]
        assert training.metrics({"logits": torn, "grades": grades})["accuracy"] == 1


def test_the_last_phase_may_train_on_validation_too(make: Make) -> None:
    phases = [{"subset": name, "epochs": 1, "learning_rate": 0.01} for name in ("full", "with_validation")]
    training = make(phases=phases, select="last", use_weighted_sampling=True)
    first, last = (training.loaders(phase["subset"], ALL) for phase in phases)
    assert dict(last.rows) == {"train": (SPLITS != "test").sum(), "val": (SPLITS == "val").sum()}
    assert first.rows["val"] == last.rows["val"]
    drawn = last.train.batch(1, 0)["ids"].tolist() + last.train.batch(2, 0)["ids"].tolist()
    assert {SPLITS[row] for row in drawn} == {"train", "val"}
    with pytest.raises(ValidationError, match="for the last of several phases"):
        make(phases=phases[1:], select="last")
    with pytest.raises(ValidationError, match="for the last of several phases"):
        make(phases=phases[::-1], select="last")
    with pytest.raises(ValidationError, match="set select to last"):
        make(phases=phases, select="best")


def test_a_validation_photograph_that_is_trained_on_is_drawn_as_one_of_training_of_its_grade(make: Make) -> None:
    phases = [{"subset": name, "epochs": 1, "learning_rate": 0.01} for name in ("full", "with_validation")]
    training = make(phases=phases, select="last", use_weighted_sampling=True)
    loader = training.loaders("with_validation", BatchShare(18, 1, 1, 0)).train
    drawn = np.bincount(np.concatenate([loader.batch(seed, 0)["ids"].numpy() for seed in range(1500)]), minlength=20)
    for grade in definitions.GRADES:
        of_training, of_validation = (drawn[(grade == GRADES) & (split == SPLITS)].mean() for split in ("train", "val"))
        assert of_validation == pytest.approx(of_training, rel=0.12), f"grade {grade}"


def test_pooled_features_are_scaled_as_training_photographs_are(make: Make) -> None:
    changes = frozen(network__frozen_blocks=4, network__pooled_blocks=[1, 3])
    training = make(**changes)
    model = training.build()
    features = training.kept_features[np.flatnonzero(SPLITS == "train"), 0, :, 0, 0].float()
    assert isinstance(model.scale, Standardise)
    assert torch.allclose(model.scale.mean, features.mean(dim=0), atol=1e-3)
    assert not model.head.weight.any()
    with pytest.raises(ValidationError, match="pooled_blocks names block 3, which is trained: set frozen_blocks to 4"):
        make(**{**changes, "network__frozen_blocks": 3})
    with pytest.raises(ValidationError, match="are not numbers from 0 on that rise"):
        make(**{**changes, "network__pooled_blocks": [3, 1]})


def test_validation_metrics_are_scikit_learns(make: Make) -> None:
    training = make(network__head="softmax", network__decision="likeliest")
    grades = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 4, 4])
    said = torch.tensor([0, 0, 1, 1, 2, 2, 2, 0, 4, 3])
    found = training.metrics({"logits": nn.functional.one_hot(said, 5).float(), "grades": grades})
    f1 = f1_score(grades, said, labels=[0, 1, 2, 4], average=None)
    assert found["quadratic_weighted_kappa"] == pytest.approx(cohen_kappa_score(grades, said, weights="quadratic"))
    assert found["macro_f1"] == pytest.approx(f1.mean())
    assert {name: value for name, value in found.items() if name.startswith("f1/")} == pytest.approx(
        {f"f1/{grade}": value for grade, value in zip((0, 1, 2, 4), f1, strict=True)}
    )
    assert found["predictions_distinct"] == 5


def test_the_backbone_moves_by_its_share_of_the_learning_rate(make: Make) -> None:
    training = make(backbone_lr_factor=0.1)
    torch.manual_seed(0)
    model = training.build()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimizer_step = OptimizerStep(torch.optim.SGD(training.parameter_groups(model), lr=1.0), 0.0, None)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer_step.step(0.5, torch.tensor(1.0))
    moved = {name: (before[name] - value.detach()).mean().item() for name, value in model.named_parameters()}
    assert {name.split(".")[0] for name in moved} == {"head", "blocks"}
    for name, distance in moved.items():
        assert distance == pytest.approx(0.5 if name.startswith("head.") else 0.05, rel=1e-3), name


def views_of(image: np.ndarray) -> list[np.ndarray]:
    """The eight symmetries of a picture (channels, side, side), by numpy."""
    return [np.rot90(each, turn, (-2, -1)) for each in (image, image[..., ::-1]) for turn in range(4)]


@pytest.mark.parametrize("flips", [True, False])
def test_photographs_are_flipped_and_turned_when_asked(make: Make, flips: bool) -> None:
    training = make(augment__flips=flips, augment__colour=0.0)
    loaders = training.loaders("full", ALL)
    originals = decode(list(training.images)).numpy()
    shown: list[int] = []
    for seed in range(8):
        batch = loaders.train.batch(seed, 0)
        for number, image in zip(batch["ids"].tolist(), batch["inputs"].numpy(), strict=True):
            assert SPLITS[number] == "train"
            views = views_of(originals[number].astype(np.float32))
            shown.append(next(view for view, each in enumerate(views) if (each == image).all()))
        assert (GRADES[batch["ids"]] == batch["grades"].numpy()).all()
    assert set(shown) == (set(range(8)) if flips else {0})
    (val,) = (loaders.val[index] for index in range(len(loaders.val)))
    assert (val["inputs"].numpy() == originals[SPLITS == "val"]).all()


def test_colour_scales_each_photograph_by_its_own_factors(make: Make) -> None:
    training = make(augment__flips=False, augment__colour=0.2)
    batch = training.loaders("full", ALL).train.batch(0, 0)
    originals = decode(list(training.images)).numpy()[batch["ids"].numpy()].astype(np.float64)
    light = batch["inputs"].numpy().mean(axis=(1, 2, 3)) / originals.mean(axis=(1, 2, 3))
    assert light.min() >= 0.75
    assert light.max() <= 1.25
    assert light.std() > 0.03


@pytest.mark.parametrize("flips", [True, False])
def test_frozen_features_are_of_any_view_when_asked(make: Make, flips: bool) -> None:
    training = make(**frozen(augment__flips=flips))
    loaders = training.loaders("full", ALL)
    model = training.build().eval()
    pictures = decode(list(training.images)).numpy()
    with torch.no_grad():
        each = [torch.from_numpy(np.stack([views_of(image)[view] for image in pictures])) for view in range(8)]
        features = torch.stack([model.features(images, stop=2) for images in each], dim=1)
    shown: list[int] = []
    for seed in range(8):
        batch = loaders.train.batch(seed, 0)
        apart = (features[batch["ids"]] - batch["inputs"][:, None]).abs().amax(dim=(2, 3, 4))
        assert apart.amin(dim=1).max() < 0.02, "half precision"
        shown += apart.argmin(dim=1).tolist()
    assert set(shown) == (set(range(8)) if flips else {0})
    assert loaders.val[0]["inputs"] == pytest.approx(features[SPLITS == "val", 0], abs=0.02)


def test_weighted_sampling_draws_each_grade_alike_and_plain_sampling_each_photograph(make: Make) -> None:
    for weighted, shares in ((True, [0.2] * 5), (False, [6 / 13, 2 / 13, 3 / 13, 1 / 13, 1 / 13])):
        loaders = make(use_weighted_sampling=weighted, augment__flips=False).loaders("full", ALL)
        drawn = torch.cat([loaders.train.batch(seed, 0)["grades"] for seed in range(100)])
        assert np.bincount(drawn, minlength=5) / len(drawn) == pytest.approx(shares, abs=0.01)


def test_class_weights_are_printed_as_the_loss_uses_them(make: Make) -> None:
    for used, weights in ((True, CLASS_WEIGHTS), (False, [1.0] * 5)):
        table = make(use_class_weights=used).loaders("full", ALL).weights
        expected = {f"Class {g}": (weights[g], int((GRADES[:13] == g).sum())) for g in range(5)}
        assert table == {name: (pytest.approx(weight), count) for name, (weight, count) in expected.items()}
