"""The network that grades photographs: a backbone, a pooled feature vector, and a head over the five grades."""

from typing import Literal, Self

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from winnow.domains.retina import definitions
from winnow.vision import backbones

Head = Literal["softmax", "corn"]


class Grader(nn.Module, PyTorchModelHubMixin):
    """Photographs `(rows, 3, size, size)` as bytes to logits: five of a softmax, or CORN's four.

    The first `frozen_blocks` blocks never change, their batch statistics included; `features` gives what they make of
    photographs, and `forward(features, start=frozen_blocks)` goes on from there. `class_weights` are kept beside the
    weights when the loss used any; nothing but the loss reads them, so a model loads with and without them.

    A saved model carries all that grading with it needs besides the weights: how photographs are prepared, the limits
    outside which they cannot be graded, the number of views that are averaged, and how probabilities become a grade.
    """

    def __init__(
        self,
        backbone: str,
        head: Head,
        *,
        frozen_blocks: int,
        dropout: float,
        decision: definitions.Decision,
        views: int,
        preparation: definitions.Preparation,
        limits: definitions.QualityLimits,
    ) -> None:
        super().__init__()
        self.head_name: Head = head
        self.frozen_blocks = frozen_blocks
        self.decision: definitions.Decision = decision
        self.views = views
        self.preparation = preparation
        self.limits = limits
        self.class_weights: Tensor | None
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("class_weights", None)
        self._take(backbones.build(backbone))
        outputs = len(definitions.GRADES) - (head == "corn")
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.channels, outputs)

    def _take(self, backbone: backbones.Backbone) -> None:
        self.blocks = backbone.blocks
        self.channels = backbone.channels
        self.register_buffer("mean", torch.tensor(backbone.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(backbone.std).view(1, 3, 1, 1), persistent=False)

    def start_from(self, backbone: backbones.Backbone) -> Self:
        """Take the backbone's weights, freeze the front, and give the network."""
        self.blocks.load_state_dict(backbone.blocks.state_dict())
        for parameter in self.blocks[: self.frozen_blocks].parameters():
            parameter.requires_grad = False
        return self

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.weight.device

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.blocks[: self.frozen_blocks].eval()
        return self

    def features(self, photographs: Tensor, stop: int | None = None) -> Tensor:
        """What the first `stop` blocks (all when None) make of photographs; bytes are scaled first."""
        out: Tensor = self.blocks[:stop]((photographs.to(self.mean.dtype) - self.mean) / self.std)
        return out

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Logits of photographs, or of the features after the first `start` blocks."""
        maps = self.blocks[start:](inputs) if start else self.features(inputs)
        return self.classify(maps)

    def classify(self, maps: Tensor) -> Tensor:
        """Logits of the last feature maps `(rows, channels, h, w)`."""
        logits: Tensor = self.head(self.dropout(maps.mean(dim=(2, 3))))
        return logits

    def probabilities(self, logits: Tensor) -> Tensor:
        """`(rows, 5)` of logits."""
        return probabilities(logits, self.head_name)


def probabilities(logits: Tensor, head: Head) -> Tensor:
    """Probabilities of the five grades, `(rows, 5)`.

    CORN (Shi, Cao & Raschka 2023): logit k is for "above k, given above k - 1"; their products are the chances to
    exceed each grade, and differences of these the grades' own.
    """
    if head == "softmax":
        return logits.softmax(dim=1)
    exceeds = logits.sigmoid().cumprod(dim=1)
    edges = torch.cat([torch.ones_like(exceeds[:, :1]), exceeds, torch.zeros_like(exceeds[:, :1])], dim=1)
    return edges[:, :-1] - edges[:, 1:]
