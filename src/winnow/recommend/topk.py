"""The highest scores of each row, with ties in a defined order."""

import math

import torch
from torch import Tensor

FEW = 256
"""Rows of up to this many scores are sorted whole."""


def best_of(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` highest of each row, highest first, ties by number: values and numbers, (rows, count).

    Exact, and on a CPU twice as fast as `topk`, which does not define the order of ties: the highest lie in the
    `count` pieces of the row with the highest maxima.
    """
    items = scores.shape[1]
    if items <= max(FEW, 4 * count):
        values, numbers = scores.sort(dim=1, descending=True, stable=True)
        return values[:, :count], numbers[:, :count]
    width = max(2, math.isqrt(items // count))
    whole = items // width * width
    pieces = scores[:, :whole].view(len(scores), -1, width)
    chosen = best_of(pieces.amax(dim=2), count)[1].sort(dim=1).values[:, :, None]
    rest = torch.arange(whole, items, device=scores.device).expand(len(scores), -1)
    numbers = torch.cat([(chosen * width + torch.arange(width, device=scores.device)).flatten(1), rest], dim=1)
    values, places = best_of(scores.gather(1, numbers), count)
    return values, numbers.gather(1, places)
