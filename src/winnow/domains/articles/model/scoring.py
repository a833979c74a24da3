"""Scoring texts with a trained model: the network, averaged with ridge regression where training chose to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from transformers import AutoTokenizer
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from winnow.domains.articles.model.network import Scorer
from winnow.domains.articles.model.ridge import TextRidge
from winnow.domains.articles.model.texts import are_cut, encode, length_batches
from winnow.learn.folder import model_files, model_folder, read_settings
from winnow.learn.trained import load_trained
from winnow.measure.regression import mae
from winnow.pipeline.files import write_json
from winnow.pipeline.section import Section

Floats = NDArray[np.float64]

MIXTURE, RIDGE = "mixture.json", "ridge"
"""In a trained model's folder, where there is a mixture: the ridge's share, and the folder of the ridge."""


class Mixture(NamedTuple):
    """Ridge regression on TF-IDF, and its share in the scores."""

    ridge: TextRidge
    share: float


@dataclass(frozen=True)
class TrainedScorer:
    """All that scores a text."""

    network: Scorer
    tokenizer: PreTrainedTokenizerBase
    mixture: Mixture | None

    def score(self, texts: Sequence[str], *, batch_size: int) -> Floats:
        """Scores on the scale, `(texts, dimensions)`, in the order of the texts."""
        if self.mixture is not None and self.mixture.share == 1:
            return ridge_scores(self.mixture.ridge, self.network, texts)
        scores = score_texts(self.network, self.tokenizer, texts, batch_size=batch_size)
        if self.mixture is None:
            return scores
        return mixed(scores, ridge_scores(self.mixture.ridge, self.network, texts), self.mixture.share)

    def cut(self, texts: Sequence[str]) -> list[bool]:
        """Whether the network reads the beginning of a text only; never where ridge regression alone scores it."""
        if self.mixture is not None and self.mixture.share == 1:
            return [False] * len(texts)
        return are_cut(self.tokenizer, texts, self.network.max_length)


class MixtureSettings(Section):
    """What a model's folder tells of a `Mixture` besides the ridge."""

    ridge_share: float = Field(ge=0, le=1)


def load_scorer(device: torch.device, folder: Path | None = None) -> TrainedScorer:
    """The model in `folder`, or else this checkout's; raises WinnowError when there is none of this version."""
    folder = folder or model_folder("articles")
    network = load_trained(Scorer, "articles", device, folder)
    mixture = None
    with model_files(folder, "articles"):
        if (file := folder / MIXTURE).exists():
            share = read_settings(file, MixtureSettings, "articles").ridge_share
            mixture = Mixture(TextRidge.load(folder / RIDGE), share)
        return TrainedScorer(network, read_tokenizer(folder), mixture)


def save_mixture(mixture: Mixture, folder: Path) -> None:
    """Write what `load_scorer` reads into the model's folder."""
    (folder / RIDGE).mkdir(exist_ok=True)
    mixture.ridge.save(folder / RIDGE)
    write_json(folder / MIXTURE, MixtureSettings(ridge_share=mixture.share).model_dump())


def choose_share(network: Floats, ridge: Floats, labels: Floats, shares: Sequence[float]) -> tuple[float, float]:
    """The ridge's share in the scores `(texts, dimensions)` with the lowest MAE, and that MAE."""
    errors = {share: mae(mixed(network, ridge, share), labels) for share in sorted(shares)}
    best = min(errors, key=lambda share: errors[share])
    return best, errors[best]


def mixed(network: Floats, ridge: Floats, share: float) -> Floats:
    return (1 - share) * network + share * ridge


def ridge_scores(ridge: TextRidge, network: Scorer, texts: Sequence[str]) -> Floats:
    """The regression's scores, on the scale."""
    return ridge.predict(texts).clip(network.scoring.low, network.scoring.high)


def read_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a trained model's folder."""
    return cast("PreTrainedTokenizerBase", cast("Any", AutoTokenizer).from_pretrained(folder / "tokenizer"))


def score_texts(model: Scorer, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, batch_size: int) -> Floats:
    """The network's scores on the scale, `(texts, dimensions)`; texts of similar length share a batch."""
    encoded = encode(tokenizer, texts, model.max_length)
    scores = np.zeros((len(texts), len(model.scoring.dimensions)))
    with torch.inference_mode():
        for rows in length_batches(encoded.lengths, batch_size):
            batch = {name: each.to(model.device) for name, each in encoded.batch(rows).items()}
            scores[rows] = model.on_scale(model(**batch)).float().cpu().numpy()
    return scores
