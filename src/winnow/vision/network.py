"""What every network on a backbone does: its first blocks, of which the front may be frozen."""

from typing import Self

import torch
from torch import Tensor, nn

from winnow.vision.backbones import Backbone


class OnBackbone(nn.Module):
    """
    A network whose front is the first blocks of a backbone, in `blocks`.

    The first `frozen_blocks` of them never change, their batch statistics included.
    """

    def __init__(self, backbone: Backbone, blocks: int, frozen_blocks: int) -> None:
        super().__init__()
        self.frozen_blocks = frozen_blocks
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)
        self.blocks = backbone.blocks[:blocks]

    def init_from(self, backbone: Backbone) -> Self:
        """Take the backbone's weights, freeze the front, and give the network."""
        self.blocks.load_state_dict(backbone.blocks[: len(self.blocks)].state_dict())
        for parameter in self.blocks[: self.frozen_blocks].parameters():
            parameter.requires_grad = False
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.mean.device

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.blocks[: self.frozen_blocks].eval()
        return self

    def scaled(self, images: Tensor) -> Tensor:
        """
        Bytes `(images, 3, height, width)` as the backbone expects them.

        In one memory format, on which the last bits of convolutions depend.
        """
        scaled = (images.to(self.mean.dtype) - self.mean) / self.std
        return scaled.contiguous(memory_format=torch.channels_last)
