"""What validation decides after training: the temperature, who is referred, and which grades are possible."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from winnow.domains.retina import definitions
from winnow.learn.folder import read_settings
from winnow.measure.calibration import TEMPERATURES, fit_temperature, with_temperature
from winnow.pipeline.files import write_json

FILE = "calibration.json"
CLASSES = len(definitions.GRADES)
SURELY = 0.5
"""Chance of a referable grade from which a patient is referred whatever validation says."""
Floats = NDArray[np.float64]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Calibration:
    """What was fitted in the validation split; the trained model's is kept in its folder."""

    temperature: Annotated[float, Field(ge=TEMPERATURES[0], le=TEMPERATURES[1])]
    """of the probabilities (Guo et al. 2017)"""
    refer_from: Share
    """calibrated probability of a referable grade from which a patient is referred"""
    refer_sensitivity: Share
    """share of the referable validation photographs that the threshold had to refer"""
    possible_from: Share
    """calibrated probability from which a grade is possible (split conformal sets, Vovk et al. 2005)"""
    coverage: Share
    """share of photographs whose true grade is to be among the possible ones"""

    def probabilities(self, raw: Floats) -> Floats:
        """Calibrated probabilities `(rows, 5)`."""
        return with_temperature(raw, self.temperature)

    def refers(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Who is referred `(rows,)`, from calibrated probabilities `(rows, 5)`."""
        return np.asarray(definitions.referable_probability(probabilities) >= self.refer_from, dtype=np.bool_)

    def possible(self, probabilities: Floats) -> NDArray[np.int64]:
        """The lowest and the highest possible grade `(rows, 2)`, from calibrated probabilities `(rows, 5)`."""
        within = probabilities >= np.minimum(self.possible_from, probabilities.max(axis=1, keepdims=True))
        return np.stack([within.argmax(axis=1), CLASSES - 1 - within[:, ::-1].argmax(axis=1)], axis=1)


def calibrate(raw: Floats, grades: NDArray[np.int64], refer_sensitivity: float, coverage: float) -> Calibration:
    """What validation photographs with these probabilities `(rows, 5)` and true grades `(rows,)` say.

    The threshold is the highest that refers the given share of the referable ones, in steps of a ten-thousandth, and at
    most one half: where validation tells them apart without an error, any threshold would do, and new photographs are
    less certain. Possible grades reach from the lowest to the highest whose probability is that of the
    true grade in all but 1 - `coverage` of validation, rounded to be safe: photographs like these have their true grade
    among them with at least that chance.
    """
    temperature = fit_temperature(raw, grades)
    values = with_temperature(raw, temperature)
    score = definitions.referable_probability(values)
    of_truth = np.sort(values[np.arange(len(grades)), grades])
    left_out = int(np.floor((1 - coverage) * (len(grades) + 1) + 1e-9))
    possible_from = float(np.floor(of_truth[left_out - 1] * 1e4) / 1e4) if left_out else 0.0
    referable = np.sort(score[grades >= definitions.REFERABLE_FROM])[::-1]
    needed = int(np.ceil(refer_sensitivity * len(referable) - 1e-9))
    highest = float(np.floor(referable[needed - 1] * 1e4) / 1e4) if needed else SURELY
    return Calibration(temperature, min(highest, SURELY), refer_sensitivity, possible_from, coverage)


def save(folder: Path, calibration: Calibration) -> None:
    """Write it into a model's folder."""
    write_json(folder / FILE, asdict(calibration))


def load(folder: Path) -> Calibration:
    """The calibration of the model in a folder; raises TableError when it is missing, damaged or of another version."""
    return read_settings(folder / FILE, Calibration, "retina")
