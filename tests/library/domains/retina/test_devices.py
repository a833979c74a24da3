"""Grading and heat maps on a GPU, simulated by tensors without data, which refuse to mix devices as a GPU does."""

import numpy as np
import pytest
import torch

from tests.fake_tensors import fake_tensors
from winnow.domains.retina import definitions
from winnow.domains.retina.model import grading, heatmaps
from winnow.domains.retina.model.network import Grader
from winnow.images.codec import encode_png
from winnow.vision import features

IMAGES = [encode_png(np.full((32, 32, 3), 9 * row, dtype=np.uint8)) for row in range(3)]


def grader(head: str) -> Grader:
    return Grader(
        "small_resnet",
        head,  # type: ignore[arg-type]
        frozen_blocks=2,
        pooled_blocks=(),
        dropout=0.0,
        decision="median",
        views=2,
        preparation=definitions.Preparation(32, crop=True, contrast=False),
        limits=definitions.QualityLimits(0.0, 255.0, 0.0, 0.0, 0),
    )


@pytest.mark.parametrize("head", ["softmax", "corn"])
def test_everything_is_computed_where_the_model_is(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: list[torch.device] = []
    monkeypatch.setattr(grading, "_rows", lambda parts: outputs.extend(part.device for part in parts))
    monkeypatch.setattr(torch.autograd, "grad", lambda _, maps: (torch.ones_like(maps),))  # needs a real GPU
    monkeypatch.setattr(heatmaps.np, "concatenate", len)  # numpy has no arrays without data
    monkeypatch.setattr(torch.Tensor, "numpy", lambda tensor: outputs.append(tensor.device))
    monkeypatch.setattr(features, "_platform", lambda _: "a GPU")
    monkeypatch.setattr(features, "content_key", lambda _: "")
    monkeypatch.setattr(features, "kept_array", lambda _name, _key, _rows, compute: list(compute()))
    with fake_tensors(allow_non_fake_inputs=True):
        with torch.device("cuda"):
            model = grader(head)
        assert model.device.type == "cuda"
        grading.grade_photographs(model, IMAGES, views=2, batch_size=2)
        kept = torch.zeros(3, 8, 32, 16, 16, dtype=torch.float16)
        grading.grade_features(model, kept, torch.arange(3), views=2, batch_size=2)
        heatmaps.heat_maps(model, IMAGES, np.array([2, 2, 0]))
        two_blocks = lambda each: model.features(each, stop=2)  # noqa: E731
        computed = features.kept_features("two blocks", Grader.__module__, model.blocks, two_blocks, IMAGES)
    outputs += [part.device for part in computed]
    assert len(outputs) > 5
    assert {device.type for device in outputs} == {"cpu"}
