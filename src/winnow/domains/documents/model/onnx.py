"""The assessor's network, for an ONNX file."""

from pathlib import Path

import torch
from torch import Tensor

from winnow.domains.documents.model.network import Assessor, Outputs
from winnow.learn.onnx import ForwardPass
from winnow.learn.trained import load_trained

USE = """\
`parts` are the bytes of a page's patches and views, one after another (`tiling` in `config.json`), `measures` those \
that `measures` there names. The sigmoid of `score`, `legibility`, `readability` and `issues`, and the softmax of \
`classes`, are what `calibration.json` corrects before a verdict."""


def forward_pass(folder: Path) -> ForwardPass:
    """The network in a model's folder."""
    network = load_trained(Assessor, "documents", folder=folder)
    tiling = network.tiling
    length = tiling.patches * tiling.patch_size**2 + sum(side**2 for side in tiling.views)

    def draw(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
        mean, spread = network.measure_scale.mean, network.measure_scale.deviation
        return {
            "parts": torch.randint(256, (rows, length), generator=generator, dtype=torch.uint8),
            "measures": mean + spread * torch.randn(rows, len(mean), generator=generator),
        }

    return ForwardPass(network, {"parts": ("rows",), "measures": ("rows",)}, Outputs._fields, draw, USE)
