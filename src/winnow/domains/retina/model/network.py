"""The network that grades photographs: a backbone, a pooled feature vector, and a head over the five grades."""

from collections.abc import Sequence
from typing import Literal

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from winnow.domains.retina import definitions
from winnow.learn.bounds import Count, Share, Views
from winnow.vision import backbones
from winnow.vision.network import OnBackbone
from winnow.vision.pooling import Standardise, summarised

Head = Literal["softmax", "corn"]


class Grader(OnBackbone, PyTorchModelHubMixin):
    """Photographs `(rows, 3, size, size)` as bytes to logits: five of a softmax, or CORN's four.

    The first `frozen_blocks` blocks never change, their batch statistics included; `frozen` gives what they make of
    photographs, and `forward(features, start=frozen_blocks)` goes on from there. The head sees the mean of the last
    maps, or mean and standard deviation of the maps after each of `pooled_blocks`, on one scale: lesions are small, and
    show in the spread of early maps more than in the mean of the last. `class_weights` are kept beside the
    weights when the loss used any; nothing but the loss reads them, so a model loads with and without them.

    A saved model carries all that grading with it needs besides the weights: how photographs are prepared, the limits
    outside which they cannot be graded, the number of views that are averaged, and how probabilities become a grade.
    """

    def __init__(
        self,
        backbone: str,
        head: Head,
        *,
        frozen_blocks: Count,
        pooled_blocks: Sequence[Count],
        dropout: Share,
        decision: definitions.Decision,
        views: Views,
        preparation: definitions.Preparation,
        limits: definitions.QualityLimits,
    ) -> None:
        found = backbones.build(backbone)
        super().__init__(found, max(pooled_blocks) + 1 if pooled_blocks else len(found.blocks), frozen_blocks)
        self.head_name: Head = head
        self.pooled_blocks = tuple(pooled_blocks)
        self.decision: definitions.Decision = decision
        self.views = views
        self.preparation = preparation
        self.limits = limits
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", None)
        outputs = len(definitions.GRADES) - (head == "corn")
        self.dropout = nn.Dropout(dropout)
        self.scale: nn.Module = nn.Identity()
        if self.pooled_blocks:
            widths = backbones.widths(found)
            width = 2 * sum(widths[place] for place in self.pooled_blocks)
            self.scale = Standardise(width)
        self.head = nn.Linear(width if self.pooled_blocks else found.channels, outputs)

    def features(self, photographs: Tensor, stop: int | None = None) -> Tensor:
        """What the first `stop` blocks (all when None) make of photographs; bytes are scaled first."""
        out: Tensor = self.blocks[:stop](self.scaled(photographs))
        return out

    def frozen(self, photographs: Tensor) -> Tensor:
        """What the frozen blocks make of photographs: maps, or all that the head needs, `(rows, width, 1, 1)`."""
        if self.frozen_blocks < len(self.blocks):
            return self.features(photographs, stop=self.frozen_blocks)
        return self.pooled(self.scaled(photographs))[:, :, None, None]

    def forward(self, inputs: Tensor, start: int = 0) -> Tensor:
        """Logits of photographs, or of what the first `start` blocks, those that are frozen, made of them."""
        if start >= len(self.blocks):
            return self.classify(inputs[:, :, 0, 0])
        return self.classify(self.pooled(inputs if start else self.scaled(inputs), start))

    def pooled(self, maps: Tensor, start: int = 0) -> Tensor:
        """What the head sees, `(rows, width)`, of the maps after the first `start` blocks."""
        found = []
        for place, block in enumerate(self.blocks[start:], start):
            maps = block(maps)
            if place in self.pooled_blocks:
                found.append(self.pool(maps))
        return torch.cat(found, dim=1) if found else self.pool(maps)

    def pool(self, maps: Tensor) -> Tensor:
        """A vector of each row's maps `(rows, channels, h, w)`."""
        return summarised(maps) if self.pooled_blocks else maps.mean(dim=(2, 3))

    def classify(self, pooled: Tensor) -> Tensor:
        """Logits of pooled maps `(rows, width)`."""
        logits: Tensor = self.head(self.dropout(self.scale(pooled)))
        return logits

    def probabilities(self, logits: Tensor) -> Tensor:
        """`(rows, 5)` of logits."""
        return probabilities(logits, self.head_name)


def decided(probabilities: Tensor, rule: definitions.Decision) -> Tensor:
    """Grades `(rows,)` of probabilities `(rows, 5)`, as `definitions.decide`, on their device."""
    if rule == "likeliest":
        return probabilities.argmax(dim=1)
    return (1 - probabilities.double().cumsum(dim=1)[:, :-1] > 0.5).sum(dim=1)


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
