"""What validation decides after training: the temperature of the probabilities, and who is referred."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from winnow.domains.retina import definitions
from winnow.measure.calibration import fit_temperature, with_temperature
from winnow.pipeline.errors import TableError
from winnow.pipeline.files import write_json

FILE = "calibration.json"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What was fitted in the validation split; the trained model's is kept in its folder."""

    temperature: float
    """of the probabilities (Guo et al. 2017)"""
    refer_from: float
    """calibrated probability of a referable grade from which a patient is referred"""
    refer_sensitivity: float
    """share of the referable validation photographs that the threshold had to refer"""

    def probabilities(self, raw: Floats) -> Floats:
        """Calibrated probabilities `(rows, 5)`."""
        return with_temperature(raw, self.temperature)

    def refers(self, probabilities: Floats) -> NDArray[np.bool_]:
        """Who is referred `(rows,)`, from calibrated probabilities `(rows, 5)`."""
        return np.asarray(definitions.referable_probability(probabilities) >= self.refer_from, dtype=np.bool_)


def calibrate(raw: Floats, grades: NDArray[np.int64], refer_sensitivity: float) -> Calibration:
    """What validation photographs with these probabilities `(rows, 5)` and true grades `(rows,)` say.

    The threshold is the highest that refers the given share of the referable ones, in steps of a ten-thousandth, and
    one half if there are none.
    """
    temperature = fit_temperature(raw, grades)
    score = definitions.referable_probability(with_temperature(raw, temperature))
    referable = np.sort(score[grades >= definitions.REFERABLE_FROM])[::-1]
    needed = int(np.ceil(refer_sensitivity * len(referable) - 1e-9))
    threshold = float(np.floor(referable[needed - 1] * 1e4) / 1e4) if needed else 0.5
    return Calibration(temperature, threshold, refer_sensitivity)


def save(folder: Path, calibration: Calibration) -> None:
    """Write it into a model's folder."""
    write_json(folder / FILE, asdict(calibration))


def load(folder: Path) -> Calibration:
    """The calibration of the model in a folder; raises TableError when it is missing, damaged or of another version."""
    try:
        return Calibration(**json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise TableError(
            f"{folder / FILE} is missing, damaged, or of another version: {error}",
            fix="bring it back with `dvc checkout --force train@retina`, or train again with `dvc repro train@retina`",
        ) from None
