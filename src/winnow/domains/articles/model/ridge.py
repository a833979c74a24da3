"""Ridge regression on TF-IDF: what a trained network must beat, and what its scores may be averaged with."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from winnow.learn.folder import finite
from winnow.pipeline.files import write_json

Floats = NDArray[np.float64]

WEIGHTS, TERMS = "ridge.safetensors", "ridge.json"


@dataclass(frozen=True)
class TextInputs:
    """TF-IDF of words and word pairs, of character groups, and the logarithm of the length."""

    words: TfidfVectorizer
    characters: TfidfVectorizer
    centre: Floats
    spread: Floats
    """(3,): of the training texts' lengths"""

    @property
    def vectorizers(self) -> tuple[TfidfVectorizer, TfidfVectorizer]:
        return self.words, self.characters

    def of(self, texts: Sequence[str]) -> csr_matrix:
        """`(texts, columns)`."""
        return self.joined([each.transform(texts) for each in self.vectorizers], texts)

    def joined(self, counted: Sequence[csr_matrix], texts: Sequence[str]) -> csr_matrix:
        lengths = (_lengths(texts) - self.centre) / self.spread * 0.1
        return csr_matrix(hstack([*counted, csr_matrix(lengths)]))


@dataclass(frozen=True)
class TextRidge:
    """Scores of texts by ridge regression, not held to the scale."""

    inputs: TextInputs
    model: Ridge
    alpha: float
    """penalty"""

    def predict(self, texts: Sequence[str]) -> Floats:
        """`(texts, dimensions)`."""
        found = self.model.predict(self.inputs.of(texts)).reshape(len(texts), -1)
        return np.asarray(found, dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write the weights as safetensors, and the terms as JSON."""
        inputs = self.inputs
        arrays = {
            "coefficients": np.atleast_2d(self.model.coef_),
            "intercept": np.atleast_1d(self.model.intercept_),
            "words_idf": inputs.words.idf_,
            "characters_idf": inputs.characters.idf_,
            "centre": inputs.centre,
            "spread": inputs.spread,
        }
        save_file({name: np.ascontiguousarray(each) for name, each in arrays.items()}, folder / WEIGHTS)
        terms = {"words": inputs.words, "characters": inputs.characters}
        listed = {name: each.get_feature_names_out().tolist() for name, each in terms.items()}
        write_json(folder / TERMS, {"alpha": self.alpha, **listed})

    @classmethod
    def load(cls, folder: Path) -> "TextRidge":
        """The regression that `save` wrote; raises ValueError when a weight is not finite."""
        arrays = finite(load_file(folder / WEIGHTS))
        terms = json.loads((folder / TERMS).read_text(encoding="utf-8"))
        words, characters = _vectorizers(None, terms["words"], terms["characters"])
        words.idf_, characters.idf_ = arrays["words_idf"], arrays["characters_idf"]
        model = Ridge(alpha=terms["alpha"])
        model.coef_, model.intercept_ = arrays["coefficients"], arrays["intercept"]
        return cls(TextInputs(words, characters, arrays["centre"], arrays["spread"]), model, terms["alpha"])


def fit_ridge(
    train: tuple[Sequence[str], Floats], val: tuple[Sequence[str], Floats], *, alphas: Sequence[float], features: int
) -> TextRidge:
    """Ridge regression of labels `(texts, dimensions)` on texts, with `features` words and as many character groups.

    The penalty is the one of the lowest MAE on validation; others are tried while it lies on the edge of `alphas`.
    """
    texts, labels = train
    vectorizers = _vectorizers(features)
    counted = [each.fit_transform(texts) for each in vectorizers]
    lengths = _lengths(texts)
    inputs = TextInputs(*vectorizers, lengths.mean(axis=0), lengths.std(axis=0) + 1e-9)
    known, held = inputs.joined(counted, texts), inputs.of(val[0])
    models = {}

    def error(alpha: float) -> float:
        models[alpha] = Ridge(alpha=alpha, solver="sparse_cg", tol=1e-5).fit(known, labels)
        return float(np.abs(models[alpha].predict(held).reshape(val[1].shape) - val[1]).mean())

    errors = {alpha: error(alpha) for alpha in sorted(alphas)}
    best = min(errors, key=lambda alpha: errors[alpha])
    for factor, edge in ((1 / 3, min), (3.0, max)):
        for _ in range(10):
            if best != edge(errors):
                break
            errors[best * factor] = error(best * factor)
            best = min(errors, key=lambda alpha: errors[alpha])
    return TextRidge(inputs, models[best], float(best))


def _vectorizers(
    features: int | None, words: Sequence[str] | None = None, characters: Sequence[str] | None = None
) -> tuple[TfidfVectorizer, TfidfVectorizer]:
    """Of words and word pairs, and of character groups; with fixed terms, or with the most frequent `features`."""
    return (
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, max_features=features, vocabulary=words),
        TfidfVectorizer(
            analyzer="char_wb",
            ngram_range=(3, 5),
            min_df=3,
            sublinear_tf=True,
            max_features=features,
            vocabulary=characters,
        ),
    )


def _lengths(texts: Sequence[str]) -> Floats:
    """Logarithms of words, different words and sentences `(texts, 3)`."""
    rows = [(len(words := text.split()), len(set(words)), text.count(".") + 1) for text in texts]
    return np.log1p(np.array(rows, dtype=np.float64).reshape(len(texts), 3))
