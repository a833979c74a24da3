"""Scoring texts with a trained network."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from winnow.domains.articles.model.network import Scorer
from winnow.domains.articles.model.texts import encode, length_batches


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a trained model's folder."""
    return cast("PreTrainedTokenizerBase", cast("Any", AutoTokenizer).from_pretrained(folder / "tokenizer"))


def score_texts(
    model: Scorer, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, batch_size: int
) -> NDArray[np.float64]:
    """Scores on the scale, `(texts, dimensions)`, in the order of the texts; texts of similar length share a batch."""
    encoded = encode(tokenizer, texts, model.max_length)
    scores = np.zeros((len(texts), len(model.scoring.dimensions)))
    with torch.inference_mode():
        for rows in length_batches(encoded.lengths, batch_size):
            batch = {name: each.to(model.device) for name, each in encoded.batch(rows).items()}
            scores[rows] = model.on_scale(model(**batch)).float().cpu().numpy()
    return scores
