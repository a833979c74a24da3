"""Losses of pairs (a user, an item they have): the item should score higher than items they do not have."""

import torch
from torch import Tensor
from torch.nn.functional import softplus

MASKED = -1e9


def bpr_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """-ln sigmoid(positive - negative) of scores (pairs,): Bayesian personalised ranking (Rendle et al. 2009)."""
    return softplus(negative - positive)


def sampled_softmax_loss(positive: Tensor, row: Tensor, candidates: Tensor, log_prob: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy (pairs,) of each positive score (pairs,) among it and the sampled candidates.

    `row` (pairs,) says which row of `candidates` (users, candidates) holds the scores of the pair's user. Each score
    is corrected by `log_prob` (candidates,), the logarithm of the candidate's probability of being sampled (Bengio
    and Senécal 2008); `known` (2, …) lists (row, candidate) of items that a user has, which are no negatives.
    """
    corrected = (candidates - log_prob).index_put(tuple(known), candidates.new_tensor(MASKED))
    return torch.logaddexp(torch.logsumexp(corrected, dim=1)[row], positive) - positive
