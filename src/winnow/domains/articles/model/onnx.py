"""The scorer's network, for an ONNX file."""

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from winnow.domains.articles.model.network import Scorer
from winnow.domains.articles.model.scoring import MIXTURE
from winnow.learn.onnx import ForwardPass
from winnow.learn.trained import load_trained

USE = """\
`input_ids` are the tokens of `tokenizer/`, filled up on the right; `attention_mask` is 1 for tokens and 0 for \
filling; `words` counts the text's words. `scores` are of the dimensions in `config.json`, not yet held to the scale."""
MIXED = " The model's own answers are a mixture of these with a ridge regression, which is not in this file."


def forward_pass(folder: Path) -> ForwardPass:
    """The network in a model's folder, without the ridge regression that a mixture has besides."""
    network = load_trained(Scorer, "articles", folder=folder)
    vocabulary = cast("Any", network.backbone).get_input_embeddings().num_embeddings

    def draw(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
        longest = 5 + 3 * rows
        words = torch.randint(2, longest + 1, (rows,), generator=generator)
        return {
            "input_ids": torch.randint(vocabulary, (rows, longest), generator=generator),
            "attention_mask": (torch.arange(longest) < words[:, None]).long(),
            "words": words,
        }

    axes = {"input_ids": ("texts", "tokens"), "attention_mask": ("texts", "tokens"), "words": ("texts",)}
    use = USE + (MIXED if (folder / MIXTURE).exists() else "")
    return ForwardPass(network, axes, ("scores",), draw, use)
