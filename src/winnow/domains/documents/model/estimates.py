"""From pages to estimates: inputs of the network, its three heads joined, and what validation calibrates."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy.optimize import minimize_scalar, nnls
from torch import Tensor

from winnow.domains.documents import definitions
from winnow.domains.documents.definitions import Tiling
from winnow.domains.documents.model.examples import Examples
from winnow.domains.documents.model.network import Assessor, Outputs
from winnow.domains.documents.model.tiling import cut_all, mirrored
from winnow.images.store import Images
from winnow.learn.folder import model_folder, read_settings
from winnow.learn.trained import load_trained
from winnow.measure.calibration import TEMPERATURES, fit_temperature, log_loss, with_temperature
from winnow.pipeline.files import write_json
from winnow.pipeline.section import Float
from winnow.vision.features import kept_encoded_features

Floats = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]
CALIBRATION = "calibration.json"
SEEN = "seen.parquet"
"""Files in a model's folder besides its weights."""
BATCH = 2
"""Pages that are embedded at a time: with more, feature maps are so large that each is given back to the system (see
`vision.features.BATCH`), which takes twice the time."""
STEPS = 200
"""Retake thresholds that are tried."""
TINY = 1e-300
"""Added to weighed probabilities, which may all be too small for a number."""
SHARPNESS = (0.01, 1000.0)
"""The range that is searched."""


class Raw(NamedTuple):
    """What the network's heads say of pages."""

    scores: Floats
    """(rows, 3): of the score's head, of the documented function of the predicted severities, and of the class centres
    weighed by the class probabilities"""
    legibility: Floats
    """(rows, 2): of its head, and of the documented function of the predicted severities"""
    probabilities: Floats
    """(rows, 5)"""
    severities: Floats
    """(rows, 10)"""
    readability: Floats
    """(rows,)"""


class Estimates(NamedTuple):
    """What is said of pages after calibration."""

    score: Floats
    """(rows,)"""
    legibility: Floats
    """(rows,)"""
    probabilities: Floats
    """(rows, 5)"""
    severities: Floats
    """(rows, 10)"""
    readability: Floats
    """(rows,), NaN of a model that learnt none"""


@dataclass(frozen=True)
class Calibration:
    """What was fitted in the validation split, and is kept with the model."""

    weights: Annotated[tuple[Float, ...], Field(min_length=3, max_length=3)]
    """of the heads' scores: the score is their weighted sum + intercept, within 0 and 1"""
    intercept: Float
    legibility_weights: Annotated[tuple[Float, ...], Field(min_length=2, max_length=2)]
    legibility_intercept: Float
    sharpness: Annotated[float, Field(ge=0, le=SHARPNESS[1])]
    """how much the score decides the class: a log-probability loses so much × (score - the class's centre)²"""
    temperature: Annotated[float, Field(ge=TEMPERATURES[0], le=TEMPERATURES[1])]
    """of the class probabilities, then"""
    retake_below: Share
    """score below which a page is to be taken again"""
    max_false_rejects: Share
    """share of acceptable validation pages that the threshold was allowed to reject"""
    readable: bool
    """whether the training had pages that an OCR had read: readability is not told otherwise"""

    def apply(self, raw: Raw) -> Estimates:
        """Calibrated score, legibility and probabilities."""
        score = weighed(raw.scores, self.weights, self.intercept)
        legible = weighed(raw.legibility, self.legibility_weights, self.legibility_intercept)
        legibility = np.maximum(legible, score)  # as it is by their definitions
        probabilities = by_distance(raw.probabilities, score, self.sharpness)
        readability = raw.readability if self.readable else np.full(len(score), np.nan)
        scaled = with_temperature(probabilities, self.temperature)
        return Estimates(score, legibility, scaled, raw.severities, readability)


def raw_estimates(outputs: Outputs) -> Raw:
    """The heads' scores, probabilities and severities, from their logits."""
    score, legible, severities, readability = (
        logits.double().sigmoid().cpu().numpy()
        for logits in (outputs.score, outputs.legibility, outputs.issues, outputs.readability)
    )
    probabilities = outputs.classes.double().softmax(dim=1).cpu().numpy()
    expected = probabilities @ np.array(definitions.CENTRES)
    scores = np.stack([score, definitions.severity_score(severities), expected], axis=1)
    legibility = np.stack([legible, definitions.severity_score(severities, definitions.LEGIBILITY)], axis=1)
    return Raw(scores, legibility, probabilities, severities, readability)


class CutPages:
    """Bytes `(rows, length)` of encoded pages' patches and views, cut anew whenever they are asked for.

    Kept, they would take more than the pages themselves; cutting them takes little beside a step of the backbone.
    """

    def __init__(self, images: Images, tiling: Tiling, mirror: int) -> None:
        self._images = images
        self._tiling = tiling
        self._mirror = mirror

    def __getitem__(self, rows: Tensor) -> Tensor:
        return mirrored(cut_all(self._images.take(rows.tolist()), self._tiling), self._tiling, self._mirror)


class Rows:
    """Inputs of which some are read, by row; kept features are mapped from their file."""

    def __init__(self, inputs: Tensor | CutPages, places: Tensor) -> None:
        self._inputs = inputs
        self._places = places

    def read(self, rows: Tensor) -> Tensor:
        """Bytes `(rows, length)`, or floats `(rows, parts, width)` of kept features."""
        chosen = self._inputs[self._places[rows]]
        return chosen.float() if chosen.ndim == 3 else chosen


def page_inputs(model: Assessor, images: Images, device: torch.device, mirror: int = 0) -> Tensor | CutPages:
    """The network's inputs for encoded pages: embedded parts, kept between runs, when the backbone is frozen, else
    bytes. `mirror` is the number of the mirrored view.
    """
    if not model.frozen:
        return CutPages(images, model.tiling, mirror)
    what = f"parts of pages: {asdict(model.tiling)}, mirrored {mirror}"
    model = model.to(device)

    def embed(encoded: Sequence[bytes]) -> Tensor:
        rows = mirrored(cut_all(encoded, model.tiling), model.tiling, mirror)
        return torch.cat([model.embed(some.to(device)) for some in rows.split(BATCH)])  # type: ignore[no-untyped-call]

    return kept_encoded_features(f"{what}, taps {model.taps}", __name__, model.blocks, embed, images)


def estimate_rows(model: Assessor, examples: Examples, places: Tensor, views: int, batch_size: int) -> Raw:
    """Uncalibrated estimates of some rows, the mean over mirrored views.

    The first view's inputs are those of all images, whatever their split, so that they are found as training left them.
    """
    inputs = [Rows(page_inputs(model, examples.images, model.device), places)]
    some, own = examples.images.take(places.tolist()), torch.arange(len(places))
    inputs += [Rows(page_inputs(model, some, model.device, view), own) for view in range(1, views)]
    return estimate(model, inputs, examples.measures[places], batch_size)


@torch.inference_mode()
def estimate(model: Assessor, inputs: Sequence[Rows], measures: Tensor, batch_size: int) -> Raw:
    """Uncalibrated estimates of pages, the mean over their views: `inputs` are each view's, of the same rows."""
    model.eval()
    views = []
    for each in inputs:
        parts = []
        for start in range(0, len(measures), batch_size):
            some = measures[start : start + batch_size]
            rows = each.read(torch.arange(start, start + len(some)))
            parts.append(model(rows.to(model.device), some.to(model.device)))
        views.append(raw_estimates(Outputs(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))))
    return Raw(*(np.mean([view[place] for view in views], axis=0) for place in range(len(Raw._fields))))


def calibrate(
    raw: Raw,
    scores: Floats,
    legibility: Floats,
    labels: NDArray[np.int64],
    max_false_rejects: float,
    *,
    readable: bool = False,
) -> Calibration:
    """What validation pages with these true scores, legibility (NaN where unknown) and classes say.

    Several estimates of one thing err less than one, and the function of severities alone is biased, since uncertain
    severities lie nearer to the middle. The threshold is `retake_threshold`. Sharpness and temperature are those of the
    highest likelihood of the classes: the score knows more of the class than the class's head alone does.
    """
    weights, intercept = fit_weights(raw.scores, scores)
    known = ~np.isnan(legibility)
    legible = fit_weights(raw.legibility[known], legibility[known]) if known.any() else ((0.0, 1.0), 0.0)
    calibrated = weighed(raw.scores, weights, intercept)
    sharpness, temperature = fit_classes(raw.probabilities, calibrated, labels)
    threshold = retake_threshold(calibrated, scores, max_false_rejects)
    return Calibration(weights, intercept, *legible, sharpness, temperature, threshold, max_false_rejects, readable)


def weighed(estimates: Floats, weights: Sequence[float], intercept: float) -> Floats:
    """The weighted sum of several estimates `(rows, estimates)` of a figure, plus the intercept, within 0 and 1."""
    return np.asarray(np.clip(estimates @ np.array(weights) + intercept, 0, 1))


def fit_weights(estimates: Floats, true: Floats) -> tuple[tuple[float, ...], float]:
    """The weights, none below 0, and the intercept of least squares."""
    ones = np.ones((len(true), 1))
    solution, _ = nnls(np.concatenate([estimates, ones, -ones], axis=1), true)
    return tuple(map(float, solution[:-2])), float(solution[-2] - solution[-1])


def by_distance(probabilities: Floats, score: Floats, sharpness: float) -> Floats:
    """Class probabilities `(rows, 5)` weighed by how near each class's centre is to the score, as a Gaussian is."""
    distances = (score[:, None] - np.array(definitions.CENTRES)) ** 2
    return with_temperature(np.exp(-sharpness * distances) * probabilities + TINY, 1.0)


def fit_classes(probabilities: Floats, score: Floats, labels: NDArray[np.int64]) -> tuple[float, float]:
    """The sharpness and the temperature with the highest likelihood of these classes."""

    def found(log_sharpness: float) -> tuple[float, float, float]:
        sharpness = float(np.exp(log_sharpness))
        weighted = by_distance(probabilities, score, sharpness)
        temperature = fit_temperature(weighted, labels)
        return log_loss(with_temperature(weighted, temperature), labels), sharpness, temperature

    low, high = (float(np.log(bound)) for bound in SHARPNESS)
    _, *best = found(float(minimize_scalar(lambda each: found(each)[0], bounds=(low, high), method="bounded").x))
    return best[0], best[1]


def retake_threshold(predicted: Floats, true: Floats, max_false_rejects: float) -> float:
    """The lowest threshold that finds as many unacceptable pages as any does that rejects at most that share of the
    acceptable ones; never above the score from which pages are acceptable, which it is where no page is unacceptable.
    """
    highest = definitions.ACCEPTABLE_FROM
    if not (true < highest).any():
        return highest
    tried = [row for row in threshold_table(predicted, true) if row[1] <= max_false_rejects and row[0] <= highest]
    return min(tried, key=lambda row: (-row[2], row[0]))[0]


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


def load_assessor(device: torch.device, folder: Path | None = None) -> tuple[Assessor, Calibration]:
    """The trained model and its calibration; raises WinnowError when it was never trained."""
    folder = folder or model_folder("documents")
    model = load_trained(Assessor, "documents", device, folder)
    return model, read_settings(folder / CALIBRATION, Calibration, "documents")
