"""Focal losses over the five grades: of a softmax, and of CORN's steps up the scale."""

import torch
from torch import Tensor
from torch.nn import functional

from winnow.domains.retina import definitions
from winnow.domains.retina.model.network import Head


def spread_labels(grades: Tensor, spread: float) -> Tensor:
    """Target probabilities `(rows, 5)`: a Gaussian of that standard deviation around each grade; 0 gives one-hot."""
    scale = torch.arange(len(definitions.GRADES), device=grades.device)
    if spread == 0:
        return functional.one_hot(grades, len(definitions.GRADES)).float()
    return torch.softmax(-((scale - grades[:, None]) ** 2) / (2 * spread**2), dim=1)


def focal_loss(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Loss of each row `(rows,)`: - Σ target (1 - p)^gamma log p (Lin et al. 2017, equation 4, for soft targets)."""
    log_p = logits.log_softmax(dim=1)
    return -(targets * (1 - log_p.exp()).clamp(min=0) ** gamma * log_p).sum(dim=1)


def corn_loss(logits: Tensor, grades: Tensor, gamma: float) -> Tensor:
    """Loss of each row `(rows,)`: focal binary cross-entropies of "above k", over the k whose condition holds.

    Conditions as in CORN (Shi, Cao & Raschka 2023): step k is learnt from rows of grade k and above alone.
    """
    steps = torch.arange(logits.shape[1], device=grades.device)
    above = (grades[:, None] > steps).to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, above, reduction="none")
    discounted = (1 - torch.exp(-losses)).clamp(min=0) ** gamma * losses
    return (discounted * (grades[:, None] >= steps)).sum(dim=1)


def grade_losses(logits: Tensor, grades: Tensor, head: Head, *, gamma: float, spread: float) -> Tensor:
    """Unweighted loss of each row `(rows,)`."""
    if head == "corn":
        return corn_loss(logits, grades, gamma)
    return focal_loss(logits, spread_labels(grades, spread), gamma)


def weighted(losses: Tensor, grades: Tensor, class_weights: Tensor | None) -> Tensor:
    """Each row's loss times its grade's weight `(rows,)`: focal loss's alpha.

    A batch's mean is their sum divided by the number of rows, not by the sum of weights: otherwise a batch without a
    rare grade would count as much as one with it, and the weights would cancel in a batch of one grade.
    """
    return losses if class_weights is None else losses * class_weights[grades]
