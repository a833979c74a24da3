"""A trained model's folder: rows of features → predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from winnow.domains.toy.model.network import Net, tensors
from winnow.learn.trained import load_trained


class Predictor:
    """The network in `folder`, on a device."""

    def __init__(self, folder: Path, device: str | torch.device = "cpu") -> None:
        self.model = load_trained(Net, "toy", device, folder)
        self.device = device

    def predict(self, rows: pd.DataFrame) -> np.ndarray:
        """Predictions `(rows,)` of rows with the columns of `Rows` that hold features."""
        with torch.inference_mode():
            features = tensors(rows, self.model.features)["features"]
            predicted: np.ndarray = self.model(features.to(self.device)).cpu().numpy()
        return predicted
