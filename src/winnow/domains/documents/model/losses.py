"""The losses of the heads, and of their agreement. Each gives one value per row, `(rows,)`."""

import torch
from torch import Tensor
from torch.nn import functional

from winnow.domains.documents import definitions

HUBER = 0.1
"""Errors of the score above this count linearly."""


def score_loss(logits: Tensor, scores: Tensor) -> Tensor:
    """Smooth L1 of a score (Girshick 2015), in units of `HUBER`²: quadratic for small errors; 0 where it is NaN."""
    loss = functional.smooth_l1_loss(logits.sigmoid(), scores.nan_to_num(), beta=HUBER, reduction="none")
    return torch.where(scores.isnan(), torch.zeros_like(loss), loss)


def class_loss(logits: Tensor, targets: Tensor, weights: Tensor | None, gamma: float) -> Tensor:
    """Focal loss (Lin et al. 2017) of soft targets `(rows, 5)`; gamma 0 is cross-entropy, `weights` its alpha.

    0 where the targets are NaN.
    """
    log_p = logits.log_softmax(dim=1)
    terms = targets.nan_to_num() * (1 - log_p.exp()).clamp(min=0) ** gamma * log_p
    return -(terms if weights is None else terms * weights).sum(dim=1)


def ordinal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean binary cross-entropy of "worse than class k" for the four steps of the scale, from the class probabilities.

    A page taken for a class two steps away costs more than one that is taken for its neighbour. 0 where the targets are
    NaN.
    """
    probabilities = logits.softmax(dim=1)
    worse, truly = (1 - values.cumsum(dim=1)[:, :-1] for values in (probabilities, targets.nan_to_num()))
    worse, truly = worse.clamp(1e-6, 1 - 1e-6), truly.clamp(0, 1)
    loss = -(truly * worse.log() + (1 - truly) * (1 - worse).log()).mean(dim=1)
    return torch.where(targets[:, 0].isnan(), torch.zeros_like(loss), loss)


def issue_loss(logits: Tensor, severities: Tensor, flags: Tensor, flag_from: float) -> Tensor:
    """Binary cross-entropy of the severities that are known, else of the flags that are, summed over the ten issues.

    `severities` and `flags` are `(rows, 10)`, NaN where unknown. A flag is the event that the severity is at least
    `flag_from`, whose chance is taken as the sigmoid of the logit's distance from the threshold's.
    """
    by_severity = functional.binary_cross_entropy_with_logits(logits, severities.nan_to_num(), reduction="none")
    threshold = torch.logit(torch.tensor(flag_from, device=logits.device))
    by_flag = functional.binary_cross_entropy_with_logits(logits - threshold, flags.nan_to_num(), reduction="none")
    known = torch.where(severities.isnan(), torch.where(flags.isnan(), torch.zeros_like(logits), by_flag), by_severity)
    return known.sum(dim=1)


def consistency_loss(score_logits: Tensor, class_logits: Tensor) -> Tensor:
    """Squared difference of the score and the expected class's: the sum of class probabilities × class centres."""
    centres = torch.tensor(definitions.CENTRES, device=class_logits.device, dtype=class_logits.dtype)
    return (score_logits.sigmoid() - class_logits.softmax(dim=1) @ centres).square()
