"""Articles as tokens, and batches of them padded to their longest article."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

CHUNK = 1000
"""Texts that are tokenized at a time."""


@dataclass(frozen=True)
class Encoded:
    """Tokens of articles, one after another, without padding."""

    tokens: NDArray[np.int32]
    starts: NDArray[np.int64]
    """(articles + 1,): where each article's tokens start"""
    words: NDArray[np.int64]
    pad: int

    def __len__(self) -> int:
        return len(self.words)

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    def batch(self, rows: Sequence[int] | NDArray[np.int64]) -> dict[str, Tensor]:
        """input_ids and attention_mask `(rows, longest)`, and words `(rows,)`."""
        parts = [self.tokens[self.starts[row] : self.starts[row + 1]] for row in rows]
        longest = max(len(part) for part in parts)
        ids = np.full((len(parts), longest), self.pad, dtype=np.int64)
        mask = np.zeros((len(parts), longest), dtype=np.int64)
        for line, part in enumerate(parts):
            ids[line, : len(part)] = part
            mask[line, : len(part)] = 1
        words = self.words[np.asarray(rows)]
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(mask),
            "words": torch.from_numpy(words),
        }


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> Encoded:
    """The first `max_length` tokens of each text; an empty text is one padding token."""
    pad = int(cast("Any", tokenizer).pad_token_id)
    parts: list[NDArray[np.int32]] = []
    for start in range(0, len(texts), CHUNK):
        found: Mapping[str, Any] = tokenizer(
            list(texts[start : start + CHUNK]), truncation=True, max_length=max_length, return_attention_mask=False
        )
        parts += [np.asarray(ids or [pad], dtype=np.int32) for ids in found["input_ids"]]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    words = np.array([len(text.split()) for text in texts], dtype=np.int64)
    return Encoded(np.concatenate(parts), starts, words, pad)


def are_cut(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int) -> list[bool]:
    """Whether `encode` cuts a text off: it has more tokens, those that the tokenizer adds included."""
    # a token is a byte or more; half as many, for those that are added. Not verbose: the library warns of long texts
    long = [len(text.encode()) >= max_length // 2 for text in texts]
    found: Any = tokenizer([text for text, is_long in zip(texts, long, strict=True) if is_long] or [""], verbose=False)
    lengths = iter(found["input_ids"])
    return [is_long and len(next(lengths)) > max_length for is_long in long]


class TextLoader:
    """Batches to train on."""

    def __init__(self, encoded: Encoded, labels: Tensor, sampler: Any) -> None:
        self.encoded, self.labels, self.sampler = encoded, labels, sampler

    def batch(self, seed: int, index: int) -> dict[str, Tensor]:
        rows = self.sampler.batch(seed, index)
        chosen = torch.from_numpy(rows)
        return {**self.encoded.batch(rows), "labels": self.labels[chosen], "ids": chosen}


class SortedLoader:
    """Batches to validate on: rows by rising length, whose numbers are in `rows`."""

    def __init__(self, encoded: Encoded, labels: Tensor, batch_size: int) -> None:
        self.encoded, self.labels = encoded, labels
        self.batches = length_batches(encoded.lengths, batch_size)

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        rows = self.batches[index]
        return {**self.encoded.batch(rows), "labels": self.labels[torch.from_numpy(rows)]}


def length_batches(lengths: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Row numbers in batches of similar length."""
    order = np.argsort(lengths, kind="stable")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
