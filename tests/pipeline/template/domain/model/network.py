"""A small network that knows the scale of its features, and their tensors."""

from collections.abc import Sequence

import pandas as pd
import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from winnow.domains.toy.definitions import FEATURE


class Net(nn.Module, PyTorchModelHubMixin):
    """Features `(batch, features)` to predictions `(batch,)`, in the target's units."""

    def __init__(self, features: Sequence[str], hidden: int) -> None:
        super().__init__()
        self.features = list(features)
        for name, shape in (("center", len(features)), ("scale", len(features)), ("mean", 1), ("spread", 1)):
            self.register_buffer(name, torch.ones(shape) if name in ("scale", "spread") else torch.zeros(shape))
        self.layers = nn.Sequential(nn.Linear(len(features), hidden), nn.GELU(), nn.Linear(hidden, 1))

    def fit_scales(self, features: Tensor, target: Tensor) -> None:
        """Remember the mean and the standard deviation of training rows."""
        for name, values in (("center", features.mean(0)), ("scale", features.std(0)), ("mean", target.mean()[None])):
            self.get_buffer(name).copy_(values)
        self.get_buffer("spread").copy_(target.std()[None])

    def forward(self, features: Tensor) -> Tensor:
        scaled = (features - self.get_buffer("center")) / self.get_buffer("scale").clamp_min(1e-6)
        standardised: Tensor = self.layers(scaled).squeeze(1)
        return standardised * self.get_buffer("spread") + self.get_buffer("mean")


def tensors(rows: pd.DataFrame, features: Sequence[str]) -> dict[str, Tensor]:
    """Features `(rows, features)` of a table, and the target where it has one."""
    found = {"features": torch.tensor(rows[[f"{FEATURE}{name}" for name in features]].to_numpy("float32"))}
    if "target" in rows:
        found["target"] = torch.tensor(rows["target"].to_numpy("float32"))
    return found
