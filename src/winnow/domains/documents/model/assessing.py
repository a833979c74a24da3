"""From pages to estimates: inputs of the network, its three heads joined, and what validation calibrates."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.documents import definitions
from winnow.domains.documents.model.network import Assessor, Outputs
from winnow.domains.documents.model.parts import cut_all, mirrored
from winnow.learn.trained import load_trained, model_folder
from winnow.measure.calibration import fit_temperature, with_temperature
from winnow.pipeline.files import write_json
from winnow.pipeline.kept import content_key
from winnow.vision.features import kept_array, kept_encoded_features

Floats = NDArray[np.float64]
CALIBRATION = "calibration.json"
CUT_AT_ONCE = 32
"""Images cut at a time."""
STEPS = 200
"""Retake thresholds that are tried."""


class Estimates(NamedTuple):
    """What the network says of pages."""

    score: Floats
    """(rows,)"""
    probabilities: Floats
    """(rows, 5)"""
    severities: Floats
    """(rows, 10)"""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on the validation side, and is kept with the model."""

    slope: float
    """the score is slope × the heads' mean + intercept, within 0 and 1"""
    intercept: float
    temperature: float
    """of the class probabilities"""
    retake_below: float
    """score below which a page is to be taken again"""
    max_false_rejects: float
    """share of acceptable validation pages that the threshold was allowed to reject"""

    def apply(self, raw: Estimates) -> Estimates:
        """Calibrated score and probabilities."""
        score = np.clip(self.slope * raw.score + self.intercept, 0, 1)
        return Estimates(score, with_temperature(raw.probabilities, self.temperature), raw.severities)


def raw_estimates(outputs: Outputs) -> Estimates:
    """The heads joined: the score is the mean of the score's head, of the documented function of the predicted
    severities, and of the class centres weighed by the class probabilities; three views of one thing err less than one.
    """
    direct = outputs.score.double().sigmoid().cpu().numpy()
    severities = outputs.issues.double().sigmoid().cpu().numpy()
    probabilities = outputs.classes.double().softmax(dim=1).cpu().numpy()
    expected = probabilities @ np.array(definitions.CENTRES)
    return Estimates((direct + definitions.severity_score(severities) + expected) / 3, probabilities, severities)


def page_inputs(model: Assessor, images: Sequence[bytes], device: torch.device, mirror: int = 0) -> Tensor:
    """The network's inputs for encoded pages, kept between runs: embedded parts when the backbone is frozen, else
    bytes. `mirror` is the number of the mirrored view.
    """
    what = f"parts of pages: {asdict(model.cutting)}, mirrored {mirror}"
    if not model.frozen:
        key = content_key([what, *images]) if len(images) else ""

        def cut() -> Iterator[Tensor]:
            for start in range(0, len(images), CUT_AT_ONCE):
                yield mirrored(cut_all(images[start : start + CUT_AT_ONCE], model.cutting), model.cutting, mirror)

        return kept_array("parts", key, len(images), cut)
    model = model.to(device)

    def embed(encoded: Sequence[bytes]) -> Tensor:
        return model.embed(mirrored(cut_all(encoded, model.cutting), model.cutting, mirror).to(device))

    return kept_encoded_features(f"{what}, taps {model.taps}", model.blocks, embed, images)


@torch.inference_mode()
def estimate(model: Assessor, inputs: Sequence[Tensor], measures: Tensor, batch_size: int) -> Estimates:
    """Uncalibrated estimates of pages, the mean over their views: `inputs` are each view's, of the same rows."""
    model.eval()
    views = []
    for each in inputs:
        parts = []
        for start in range(0, len(measures), batch_size):
            rows = each[start : start + batch_size].to(model.device)
            rows = rows.float() if rows.ndim == 3 else rows
            parts.append(model(rows, measures[start : start + batch_size].to(model.device)))
        views.append(raw_estimates(Outputs(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))))
    return Estimates(*(np.mean([view[place] for view in views], axis=0) for place in range(len(Estimates._fields))))


def calibrate(raw: Estimates, scores: Floats, labels: NDArray[np.int64], max_false_rejects: float) -> Calibration:
    """What validation pages with these true scores and classes say.

    Slope and intercept are those of least squares; the threshold is the highest that rejects at most the given share
    of acceptable pages.
    """
    spread = float(np.var(raw.score))
    slope = (
        float(np.mean((raw.score - raw.score.mean()) * (scores - scores.mean()))) / spread if spread > 1e-12 else 1.0
    )
    intercept = float(scores.mean() - slope * raw.score.mean())
    temperature = fit_temperature(raw.probabilities, labels)
    calibrated = np.clip(slope * raw.score + intercept, 0, 1)
    threshold = retake_threshold(calibrated, scores, max_false_rejects)
    return Calibration(slope, intercept, temperature, threshold, max_false_rejects)


def retake_threshold(predicted: Floats, true: Floats, max_false_rejects: float) -> float:
    """The highest threshold below which at most that share of the acceptable pages lies; the class edge without any."""
    tried = [row for row in threshold_table(predicted, true) if row[1] <= max_false_rejects]
    return max(row[0] for row in tried) if tried else definitions.ACCEPTABLE_FROM


def threshold_table(predicted: Floats, true: Floats) -> list[tuple[float, float, float]]:
    """(threshold, share of acceptable pages rejected, share of unacceptable pages rejected) for thresholds 0 to 1."""
    acceptable = true >= definitions.ACCEPTABLE_FROM
    rows = []
    for step in range(STEPS + 1):
        rejected = predicted < step / STEPS
        false = float(rejected[acceptable].mean()) if acceptable.any() else 0.0
        found = float(rejected[~acceptable].mean()) if (~acceptable).any() else 0.0
        rows.append((step / STEPS, false, found))
    return rows


def save_calibration(folder: Path, calibration: Calibration) -> None:
    write_json(folder / CALIBRATION, asdict(calibration))


def load_assessor(device: torch.device) -> tuple[Assessor, Calibration]:
    """The trained model and its calibration; raises WinnowError when it was never trained."""
    model = load_trained(Assessor, "documents", device)
    values = json.loads((model_folder("documents") / CALIBRATION).read_text(encoding="utf-8"))
    return model, Calibration(**values)
