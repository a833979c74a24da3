"""The likelihood of routes under a network."""

import torch
from torch import Tensor
from torch.nn import functional

from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import END, START, Sequences


def shifted(tokens: Tensor) -> Tensor:
    """The token before each token, (batch, positions); `sequences.previous` for tensors."""
    before = torch.cat([torch.full_like(tokens[:, :1], START), tokens[:, :-1]], dim=1)
    return torch.where(before == END, START, before)


def token_losses(model: torch.nn.Module, tokens: Tensor, conditions: Tensor) -> Tensor:
    """Negative log-likelihood in nats of each token, (batch, positions); 0 where a route is filled up."""
    logits = model(shifted(tokens), conditions)
    return functional.cross_entropy(logits.transpose(1, 2), tokens, ignore_index=START, reduction="none")


@torch.inference_mode()
def route_nll(model: RouteTransformer, sequences: Sequences, batch_size: int) -> Tensor:
    """Negative log-likelihood in nats of each route, holds and end together, (routes,), in float64."""
    model.eval()
    device = model.known.device
    tokens, conditions = (torch.from_numpy(each).to(device) for each in (sequences.tokens, sequences.conditions))
    pairs = zip(torch.split(tokens, batch_size), torch.split(conditions, batch_size), strict=True)
    parts = [token_losses(model, *pair).double().sum(dim=1) for pair in pairs if len(pair[0])]
    return torch.cat(parts).cpu() if parts else torch.zeros(0, dtype=torch.float64)
