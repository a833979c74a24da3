"""How two models' stored predictions are compared."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from winnow.domains.documents import definitions
from winnow.judge.intervals import Statistic, mean, transformed
from winnow.judge.paired import Predictions
from winnow.measure import classification as measure
from winnow.measure.calibration import calibration_errors


def _statistics(images: pd.DataFrame) -> Mapping[str, Statistic]:
    error = (images["score"] - images["true_score"]).abs()
    true, predicted = images["true_label"].to_numpy(), images["label"].to_numpy()
    columns = [f"p_{definitions.class_key(name)}" for name in definitions.CLASSES]
    confidence, classes = images[columns].to_numpy().max(axis=1), len(definitions.CLASSES)
    return {
        "mae": mean(error),
        "rmse": transformed(np.sqrt, mean(error**2)),
        "balanced_accuracy": lambda counts: measure.balanced_accuracies(
            measure.resampled_confusions(true, predicted, classes, counts)
        ),
        "ece": lambda counts: calibration_errors(confidence, predicted == true, counts),
    }


PREDICTIONS = Predictions(
    "evaluate/predictions.parquet",
    key="image_id",
    groups="document",
    truth=["true_score", "true_label"],
    statistics=_statistics,
    rows=lambda table: table[table["split"] == "test"],
)
