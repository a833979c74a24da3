"""The network that judges pages: a backbone over patches and views, page-level measures, and heads."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from winnow.domains.documents import definitions
from winnow.domains.documents.model.tiling import split
from winnow.learn.bounds import Count, Layers, Share, Views
from winnow.vision import backbones
from winnow.vision.network import OnBackbone
from winnow.vision.pooling import Standardise, summarised

COLOURS = 3


class Outputs(NamedTuple):
    """Logits of the heads."""

    score: Tensor
    """(rows,): its sigmoid is the score"""
    legibility: Tensor
    """(rows,): its sigmoid is the legibility"""
    classes: Tensor
    """(rows, 5): of a softmax"""
    issues: Tensor
    """(rows, 10): their sigmoids are the severities"""
    readability: Tensor
    """(rows,): its sigmoid is the readability"""


class Assessor(OnBackbone, PyTorchModelHubMixin):
    """Pages to a score, five classes and ten severities.

    `forward(inputs, measures)` takes either bytes `(rows, length)` of patches and views (see `parts.cut`), or what
    `embed` made of them, `(rows, patches + views, width)`: the backbone need not run again when all of it is frozen.

    An image is embedded as mean and standard deviation over its area of the feature maps at up to `depths` depths of
    the backbone: blur, grain and blocks show early, text and layout late. What lies behind the last of them is left
    out. Patches are pooled by attention (when used), mean and maximum.

    A saved model carries what its use needs besides the weights: how pages are prepared and cut, and the limits of the
    verdict. `calibration.json` beside it holds what was fitted on validation.
    """

    def __init__(
        self,
        backbone: str,
        *,
        depths: Layers,
        frozen_blocks: Count,
        hidden_dim: int,
        dropout_rate: Share,
        use_attention: bool,
        tta_views: Views,
        measures: Sequence[str],
        tiling: definitions.Tiling,
        preparation: definitions.Preparation,
        decision: definitions.Decision,
    ) -> None:
        found = backbones.build(backbone)
        taps = tap_places(found, depths)
        super().__init__(found, taps[-1] + 1, frozen_blocks)
        self.taps = taps
        self.measure_names = tuple(measures)
        self.tiling = replace(tiling, views=tuple(tiling.views))  # a list when read from config.json
        self.preparation = preparation
        self.decision = decision
        self.tta_views = tta_views
        widths = backbones.widths(found)
        width = 2 * sum(widths[tap] for tap in self.taps)
        parts = 1 + len(tiling.views)
        self.patch_scale = Standardise(width)
        self.view_scales = nn.ModuleList(Standardise(width) for _ in tiling.views)
        self.measure_scale = Standardise(len(self.measure_names))
        self.patch_layer = _layer(width, hidden_dim, dropout_rate)
        self.view_layers = nn.ModuleList(_layer(width, hidden_dim, dropout_rate) for _ in tiling.views)
        self.measure_layer = _layer(len(self.measure_names), hidden_dim, dropout_rate)
        self.attention = nn.Linear(hidden_dim, 1) if use_attention else None
        pooled = hidden_dim * (2 + use_attention + parts)
        self.joint = nn.Sequential(
            _layer(pooled, hidden_dim, dropout_rate), nn.Linear(hidden_dim, hidden_dim), nn.ReLU()
        )
        self.score = nn.Linear(hidden_dim, 1)
        self.legibility = nn.Linear(hidden_dim, 1)
        self.classes = nn.Linear(hidden_dim, len(definitions.CLASSES))
        self.issues = nn.Linear(hidden_dim, len(definitions.ISSUES))
        self.readability = nn.Linear(hidden_dim, 1)

    @property
    def frozen(self) -> bool:
        """Whether the whole backbone is."""
        return self.frozen_blocks >= len(self.blocks)

    def embed(self, parts: Tensor) -> Tensor:
        """Features `(rows, patches + views, width)` of the bytes `(rows, length)` of patches and views."""
        patches, views = split(parts, self.tiling)
        rows, count, size = patches.shape[:3]
        embedded = [self.embed_images(patches.reshape(rows * count, size, size)).view(rows, count, -1)]
        return torch.cat([*embedded, *(self.embed_images(view)[:, None] for view in views)], dim=1)

    def embed_images(self, images: Tensor) -> Tensor:
        """Features `(images, width)` of grey images `(images, height, width)` of bytes."""
        found = []
        maps = self.scaled(images)
        for place, block in enumerate(self.blocks):
            maps = block(maps)
            if place in self.taps:
                found.append(summarised(maps))
        return torch.cat(found, dim=1)

    def scaled(self, images: Tensor) -> Tensor:
        """Grey images `(images, height, width)` as the backbone expects them, in three colours."""
        return super().scaled(images[:, None].to(self.mean.dtype).expand(-1, COLOURS, -1, -1))

    def forward(self, inputs: Tensor, measures: Tensor) -> Outputs:
        """Logits of pages, from bytes or from embedded parts, and their measures `(rows, measures)`."""
        return self.judge(inputs if inputs.ndim == 3 else self.embed(inputs), measures)

    def judge(self, embedded: Tensor, measures: Tensor) -> Outputs:
        """Logits from embedded parts `(rows, patches + views, width)`."""
        count = self.tiling.patches
        patches = self.patch_layer(self.patch_scale(embedded[:, :count]))
        pooled = [patches.mean(dim=1), patches.amax(dim=1)]
        if self.attention is not None:
            pooled.append((self.attention(patches).softmax(dim=1) * patches).sum(dim=1))
        views = zip(self.view_scales, self.view_layers, strict=True)
        pooled += [layer(scale(embedded[:, count + place])) for place, (scale, layer) in enumerate(views)]
        pooled.append(self.measure_layer(self.measure_scale(measures)))
        joint = self.joint(torch.cat(pooled, dim=1))
        score, legibility, readability = (head(joint)[:, 0] for head in (self.score, self.legibility, self.readability))
        return Outputs(score, legibility, self.classes(joint), self.issues(joint), readability)


def tap_places(backbone: backbones.Backbone, depths: int) -> list[int]:
    """The blocks after which features are taken: the last of each width after the stem, at most so many."""
    channels = backbones.widths(backbone)
    last = [place for place, width in enumerate(channels) if place + 1 == len(channels) or channels[place + 1] != width]
    return last[1 : 1 + depths]


def _layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU())
