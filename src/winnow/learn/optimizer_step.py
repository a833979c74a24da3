"""One optimiser step: gradient scale, clipping, learning rate."""

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from winnow.learn.sharding import own_part, whole


class OptimizerStep:
    """Updates parameters by the gradients accumulated since the last step."""

    def __init__(self, optimizer: Optimizer, max_grad_norm: float, scaler: torch.amp.GradScaler | None) -> None:
        self.optimizer = optimizer
        self.max_grad_norm = max_grad_norm
        self.scaler = scaler
        self.rate = 0.0
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of `loss` (scalar). Accelerate's own also divides by 1, an operation each way."""
        torch.autograd.backward(self.scaler.scale(loss) if self.scaler else loss)

    def step(self, rate: float, factor: Tensor) -> None:
        """Multiply the gradients by `factor` (scalar), clip them, update the parameters, and reset the gradients."""
        self.rate = rate
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        gradients = [parameter.grad for parameter in self.parameters if parameter.grad is not None]
        if self.max_grad_norm:  # as torch's clip_grad_norm_, with one multiplication for both factors
            norm = whole(torch.nn.utils.get_total_norm(gradients)) * factor
            factor = factor * (self.max_grad_norm / (norm + 1e-6)).clamp(max=1.0)
        torch._foreach_mul_(list(map(own_part, gradients)), factor)
        if self.scaler:
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def scale(self) -> dict[str, Any]:
        """The loss scaler's state; empty without one."""
        return dict(self.scaler.state_dict()) if self.scaler else {}

    def load_scale(self, state: dict[str, Any]) -> None:
        if self.scaler:
            self.scaler.load_state_dict(state)
