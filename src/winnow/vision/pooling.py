"""Pooling feature maps into vectors, and bringing vectors to one scale."""

import torch
from torch import Tensor, nn

CLIP = 6.0
"""Standardised inputs are cut at this many standard deviations: an image unlike all others must not shout."""


def summarised(maps: Tensor) -> Tensor:
    """Mean and standard deviation `(images, 2 × channels)` of feature maps `(images, channels, h, w)`."""
    mean = maps.mean(dim=(2, 3))
    variance = (maps - mean[:, :, None, None]).square().mean(dim=(2, 3)) + 1e-6
    return torch.cat([mean, variance * variance.rsqrt()], dim=1)  # `sqrt` differs between CPU makers in the last bit


class Standardise(nn.Module):
    """`(inputs - mean) / sd`, cut at ±6; the two are those of the training images, and 0 and 1 until they are set."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))

    def fit(self, values: Tensor) -> None:
        """Take mean and standard deviation of `(rows, width)`."""
        exact = values.double()
        self.mean.copy_(exact.mean(dim=0))
        self.deviation.copy_(exact.std(dim=0).clamp(min=1e-4))

    def forward(self, inputs: Tensor) -> Tensor:
        return ((inputs - self.mean) / self.deviation).clamp(-CLIP, CLIP)
