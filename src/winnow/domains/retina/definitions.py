"""What the words of retina grading mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

GRADES = (0, 1, 2, 3, 4)
"""International Clinical Diabetic Retinopathy severity scale (Wilkinson et al. 2003)."""
WITH_VALIDATION = "with_validation"
"""The subset of a last phase that trains on validation photographs too."""

GRADE_NAMES = ("no retinopathy", "mild", "moderate", "severe", "proliferative")

RARE = (3, 4)
"""The grades that endanger sight, and that few photographs show."""

REFERABLE_FROM = 2
"""From this grade on a patient is referred to an ophthalmologist."""

BORDERLINE = "borderline: the likeliest grade and the chance of a referable one are on two sides; let a person look"
"""Where the likeliest grade is to be referred and its chance is below the threshold of validation, or the reverse."""

EYES = ("left", "right", "unknown")

EYE_WORDS = {"left": "left", "right": "right", "l": "left", "r": "right", "os": "left", "od": "right"}
"""What names and columns call the eyes: oculus sinister is the left one, oculus dexter the right one."""

Decision = Literal["likeliest", "median"]
"""How five probabilities become one grade."""


@dataclass(frozen=True)
class Preparation:
    """How photographs are brought to the form that the network sees."""

    image_size: Annotated[int, Field(ge=16, le=2048)]
    """pixels a side"""
    crop: bool
    """to the retina"""
    contrast: bool
    """Ben Graham's local contrast"""


@dataclass(frozen=True)
class QualityLimits:
    """Outside these limits a photograph cannot be graded; see the section `filter` of params.yaml for the units."""

    min_brightness: Annotated[float, Field(ge=0, le=255)]
    max_brightness: Annotated[float, Field(ge=0, le=255)]
    min_retina_share: Annotated[float, Field(ge=0, le=1)]
    min_sharpness: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    max_hash_distance: Annotated[int, Field(ge=0, le=64)]
    """bits by which the hashes of photographs that show the same may differ"""


def probability_columns() -> list[str]:
    """Columns of the five probabilities in a table of predictions."""
    return [f"p{grade}" for grade in GRADES]


def decide(probabilities: ArrayLike, rule: Decision) -> NDArray[np.int64]:
    """Grades `(rows,)` of probabilities `(rows, 5)`.

    `likeliest` is right most often; `median`, the first grade that the true one exceeds with a chance of at most one
    half, is nearest in the mean on an ordered scale (and CORN's own rule, Shi et al. 2023).
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if rule == "likeliest":
        return np.asarray(values.argmax(axis=1), dtype=np.int64)
    exceeded = 1 - values.cumsum(axis=1)[:, :-1]
    return np.asarray((exceeded > 0.5).sum(axis=1), dtype=np.int64)


def referable_probability(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Chance of a grade to be referred `(rows,)`, of probabilities `(rows, 5)`."""
    return np.asarray(np.asarray(probabilities, dtype=np.float64)[:, REFERABLE_FROM:].sum(axis=1))


def grade_counts(grades: Sequence[int] | NDArray[np.int64]) -> dict[str, int]:
    """Photographs of each grade, `{"0": …, …, "4": …}`."""
    counts = np.bincount(np.asarray(grades, dtype=np.int64), minlength=len(GRADES))
    return {str(grade): int(counts[grade]) for grade in GRADES}
