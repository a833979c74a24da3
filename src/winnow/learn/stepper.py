"""One optimiser step: learning rate, clipping, loss scaling."""

from typing import Any

import torch

from winnow.learn.settings import Phase, Training


class Stepper:
    """AdamW (Loshchilov and Hutter 2019) over a model's parameter groups, for one phase."""

    def __init__(
        self, groups: list[dict[str, Any]], settings: Training, phase: Phase, scaler: torch.amp.GradScaler | None
    ) -> None:
        self.clip_norm = settings.clip_norm
        self.scaler = scaler
        self.rate = phase.learning_rate
        self.optimizer = torch.optim.AdamW(
            [{"lr_scale": 1.0, **group} for group in groups],
            lr=phase.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    def step(self, rate: float) -> None:
        """Update the parameters by the gradients gathered so far, and forget these."""
        self.rate = rate
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        if self.scaler:
            self.scaler.unscale_(self.optimizer)
        if self.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
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
