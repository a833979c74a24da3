"""The grader's network, for an ONNX file."""

from pathlib import Path

import torch
from torch import Tensor

from winnow.domains.retina.model.network import Grader
from winnow.learn.onnx import ForwardPass
from winnow.learn.trained import load_trained

USE = """\
`photographs` are bytes, red, green, blue, prepared as `preparation` in `config.json` says. `logits` are of the grades \
0 to 4 for a softmax, or CORN's four (`head` in `config.json`). Probabilities are averaged over `views`, raised to one \
over the temperature of `calibration.json` and normalised; that file's threshold decides who is referred. Whether a \
photograph can be graded at all (`limits`, `familiar.safetensors`) is not in the network."""


def forward_pass(folder: Path) -> ForwardPass:
    """The network in a model's folder."""
    network = load_trained(Grader, "retina", folder=folder)
    size = network.preparation.image_size

    def draw(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
        shape = (rows, 3, size, size)
        return {"photographs": torch.randint(256, shape, generator=generator, dtype=torch.uint8)}

    return ForwardPass(network, {"photographs": ("rows",)}, ("logits",), draw, USE)
