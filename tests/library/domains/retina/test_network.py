"""The network: its heads, losses, frozen blocks, what it carries, and the heat maps."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from winnow.domains.retina import definitions
from winnow.domains.retina.model.heatmaps import heat_maps, within_retina
from winnow.domains.retina.model.losses import corn_loss, focal_loss, spread_labels, weighted
from winnow.domains.retina.model.network import Grader, decided, probabilities
from winnow.images.codec import encode_png
from winnow.learn.checkpoints import load_weights, save_weights, saved_tensors
from winnow.pipeline.errors import TrainingError
from winnow.vision import backbones
from winnow.vision.pooling import Standardise

PREPARATION = definitions.Preparation(image_size=32, crop=True, contrast=False)
LIMITS = definitions.QualityLimits(20.0, 200.0, 0.3, 8.0, 28)


def grader(head: str = "softmax", frozen: int = 0, backbone: str = "small_resnet") -> Grader:
    torch.manual_seed(0)
    return Grader(
        backbone,
        head,  # type: ignore[arg-type]
        frozen_blocks=frozen,
        pooled_blocks=(),
        dropout=0.0,
        decision="median",
        views=3,
        preparation=PREPARATION,
        limits=LIMITS,
    )


@pytest.fixture
def photographs() -> torch.Tensor:
    return torch.randint(0, 256, (6, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_corns_probabilities_are_products_of_steps_taken_and_the_one_not_taken() -> None:
    logits = 3 * torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    for row, found in zip(logits.tolist(), probabilities(logits, "corn").tolist(), strict=True):
        above = [1 / (1 + math.exp(-logit)) for logit in row]
        expected = [math.prod(above[:grade]) * (1 - above[grade] if grade < 4 else 1) for grade in range(5)]
        assert found == pytest.approx(expected, abs=1e-6)
    wide = torch.randn(20, 5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(probabilities(wide, "softmax"), wide.softmax(dim=1))


def test_decisions() -> None:
    torn = np.array([[0.4, 0.05, 0.05, 0.2, 0.3], [0.0, 0.0, 0.0, 0.0, 1.0], [0.6, 0.1, 0.1, 0.1, 0.1]])
    assert definitions.decide(torn, "likeliest").tolist() == [0, 4, 0]
    assert definitions.decide(torn, "median").tolist() == [2, 4, 0]


def test_focal_loss_without_gamma_is_cross_entropy_and_gamma_discounts_the_easy() -> None:
    logits, grades = torch.randn(40, 5, generator=torch.Generator().manual_seed(2)), torch.arange(40) % 5
    hard = spread_labels(grades, 0)
    plain = nn.functional.cross_entropy(logits, grades, reduction="none")
    assert torch.allclose(focal_loss(logits, hard, 0), plain, atol=1e-6)
    p = logits.softmax(1).gather(1, grades[:, None])[:, 0]
    assert torch.allclose(focal_loss(logits, hard, 2), (1 - p) ** 2 * plain, atol=1e-6)
    spread = spread_labels(torch.tensor([2]), 0.7)[0]
    assert spread.argmax() == 2
    assert spread[1] == spread[3] > spread[0] == spread[4]


def test_corn_loss_learns_each_step_from_those_who_reached_it() -> None:
    logits, grades = torch.randn(5, 4, generator=torch.Generator().manual_seed(3)), torch.arange(5)
    by_hand = []
    for row, grade in enumerate(grades.tolist()):
        steps = [k for k in range(4) if grade >= k]
        terms = [torch.nn.functional.softplus(-logits[row, k] if grade > k else logits[row, k]) for k in steps]
        by_hand.append(torch.stack(terms).sum())
    assert torch.allclose(corn_loss(logits, grades, 0), torch.stack(by_hand), atol=1e-6)


def test_class_weights_scale_the_rows_of_their_class() -> None:
    losses, grades = torch.tensor([1.0, 2.0]), torch.tensor([0, 4])
    weights = torch.tensor([0.5, 1, 1, 1, 10.0])
    assert weighted(losses, grades, None).tolist() == [1.0, 2.0]
    assert weighted(losses, grades, weights).tolist() == [0.5, 20.0]


def test_a_model_saved_without_class_weights_loads_into_one_that_has_them_and_the_other_way(
    tmp_path: Path, photographs: torch.Tensor
) -> None:
    plain, with_weights = grader(), grader()
    with_weights.class_weights = torch.tensor([0.04, 0.93, 0.32, 2.40, 1.31])
    for name, model in (("plain", plain), ("weighted", with_weights)):
        model.save_pretrained(tmp_path / name)
        save_weights(saved_tensors(model), tmp_path / f"{name}.safetensors")
    assert "class_weights" not in load_file(tmp_path / "plain" / "model.safetensors")
    assert "class_weights" in load_file(tmp_path / "weighted" / "model.safetensors")
    expected = plain.eval()(photographs)

    # For inference: class weights change no logit, whichever file is read.
    for name in ("plain", "weighted"):
        model = Grader.from_pretrained(tmp_path / name).eval()
        assert torch.equal(model(photographs), expected)
        assert model.class_weights is None
    # To train on (init_from): a plain model takes a weighted file, and a weighted one keeps its own weights.
    assert load_weights(grader(), tmp_path / "weighted.safetensors") == ["class_weights"]
    target = grader()
    target.class_weights = torch.full((5,), 7.0)
    assert load_weights(target, tmp_path / "plain.safetensors") == ["class_weights"]
    assert target.class_weights.tolist() == [7.0] * 5


def test_a_saved_model_carries_its_use(tmp_path: Path) -> None:
    grader().save_pretrained(tmp_path)
    model = Grader.from_pretrained(tmp_path)
    assert (model.preparation, model.limits) == (PREPARATION, LIMITS)
    assert (model.views, model.decision) == (3, "median")


def test_frozen_blocks_stay_as_they_are_and_features_go_on_where_they_end(photographs: torch.Tensor) -> None:
    model = grader(frozen=3).init_from(backbones.build("small_resnet"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    model(photographs).square().mean().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.sub_(0.1 * parameter.grad)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert not any(name.startswith(("blocks.0.", "blocks.1.", "blocks.2.")) for name in changed)
    assert any(name.startswith("blocks.3.") for name in changed)
    assert "head.weight" in changed
    model.eval()
    assert torch.allclose(model(model.features(photographs, stop=3), start=3), model(photographs), atol=1e-6)


@pytest.mark.parametrize("head", ["softmax", "corn"])
def test_a_heat_map_is_the_evidence_for_the_grade(head: str, photographs: torch.Tensor) -> None:
    """Of a head whose grade 2 reads one channel, the map is that channel's, where it is positive."""
    model, channel = grader(head).eval(), 5
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.weight[2, channel] = 1.0 if head == "softmax" else -1.0  # CORN: against going beyond 2
        maps = model.features(photographs)[:, channel : channel + 1].relu()
    large = torch.nn.functional.interpolate(maps, size=(32, 32), mode="bilinear")[:, 0]
    expected = 255 * large / large.amax(dim=(1, 2), keepdim=True)
    pngs = [encode_png(each.permute(1, 2, 0).numpy()) for each in photographs]
    heat = heat_maps(model, pngs, np.full(len(pngs), 2))
    assert heat == pytest.approx(expected.numpy(), abs=1)
    assert heat.max(axis=(1, 2)).tolist() == [255] * len(pngs)
    assert heat_maps(model, [], np.zeros(0, dtype=np.int64)).shape == (0, 32, 32)


def test_weights_of_another_head_are_refused(tmp_path: Path) -> None:
    save_weights(saved_tensors(grader("corn")), tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match="of another model"):
        load_weights(grader(), tmp_path / "other.safetensors")


@pytest.mark.parametrize("decision", ["likeliest", "median"])
def test_grades_are_decided_alike_in_training_and_use(decision: definitions.Decision) -> None:
    chances = torch.randn(200, 5, generator=torch.Generator().manual_seed(2)).softmax(dim=1)
    assert decided(chances, decision).tolist() == definitions.decide(chances.numpy(), decision).tolist()


def pooled_grader() -> Grader:
    torch.manual_seed(0)
    return Grader(
        "small_resnet",
        "softmax",
        frozen_blocks=4,
        pooled_blocks=(1, 3),
        dropout=0.0,
        decision="median",
        views=1,
        preparation=PREPARATION,
        limits=LIMITS,
    ).init_from(backbones.build("small_resnet"))


def test_a_head_on_several_depths_sees_mean_and_deviation_of_each(photographs: torch.Tensor) -> None:
    model = pooled_grader().eval()
    assert len(model.blocks) == 4
    with torch.no_grad():
        maps = [model.features(photographs, stop=stop) for stop in (2, 4)]
        flat = [each.flatten(start_dim=2) for each in maps]
        parts = [part for each in flat for part in (each.mean(dim=2), (each.var(dim=2, correction=0) + 1e-6).sqrt())]
        assert isinstance(model.scale, Standardise)
        model.scale.fit(torch.cat(parts, dim=1))
        scaled = [(part - part.mean(dim=0)) / part.std(dim=0).clamp(min=1e-4) for part in parts]
        expected = model.head(torch.cat(scaled, dim=1).clamp(-6, 6))
        assert torch.allclose(model(photographs), expected, atol=0.02)
        assert torch.allclose(model(model.frozen(photographs), start=4), model(photographs), atol=1e-5)
    pngs = [encode_png(each.permute(1, 2, 0).numpy()) for each in photographs]
    assert heat_maps(model, pngs, np.full(len(pngs), 2)).shape == (6, 32, 32)


def test_a_heat_map_is_cut_to_the_retina_and_its_share_outside_is_told() -> None:
    photograph = np.zeros((32, 32, 3), np.uint8)
    photograph[8:24, 8:24] = 150
    heat = np.full((32, 32), 100, np.uint8)
    inside, share = within_retina(heat, encode_png(photograph), PREPARATION)
    assert share == pytest.approx(0.75)
    assert (inside > 0).sum() == 16 * 16
    assert within_retina(np.zeros_like(heat), encode_png(photograph), PREPARATION)[1] == 0
