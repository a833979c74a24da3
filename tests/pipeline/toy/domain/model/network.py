"""A small network, and its tensors."""

import pandas as pd
import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from winnow.domains.toy import definitions


class Net(nn.Module, PyTorchModelHubMixin):
    """Measures `(batch, 2)` to logits `(batch, species)`."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, hidden), nn.ReLU(), nn.Linear(hidden, len(definitions.SPECIES)))

    def forward(self, measures: Tensor) -> Tensor:
        return self.layers(measures)


def tensors(flowers: pd.DataFrame) -> dict[str, Tensor]:
    """Measures and labels of a table that has both."""
    return {
        "measures": torch.tensor(flowers[definitions.MEASURES].to_numpy(), dtype=torch.float32),
        "label": torch.tensor(flowers["label"].to_numpy()),
    }
