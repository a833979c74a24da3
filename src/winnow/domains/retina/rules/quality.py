"""Which photographs can be graded at all."""

from dataclasses import replace

import pandas as pd

from winnow.curate.filters import Rule
from winnow.domains.retina.definitions import QualityLimits

LEAST_SHARP = 1 / 3
"""Share of the sharpness of the blurred ones among the training photographs below which a new one is not graded: eyes
of IDRiD are below it when they are blurred by 2% of their side, at which lesions vanish and a grade 3 becomes a 0."""


def for_new_photographs(limits: QualityLimits, sharpness: "pd.Series[float]") -> QualityLimits:
    """The filter's limits, of which that of sharpness rises to what the training photographs are, by `sharpness`.

    The filter's own has to fit all cameras; the model has seen some. Of them the least sharp hundredth is left out.
    """
    least = LEAST_SHARP * float(sharpness.quantile(0.01))
    return replace(limits, min_sharpness=max(limits.min_sharpness, round(least, 4)))


def quality_rules(limits: QualityLimits) -> list[Rule]:
    """Why a photograph cannot be graded, in the order in which reasons are given."""
    return [
        Rule("no_retina", lambda photos: photos["retina_share"] < limits.min_retina_share),
        Rule("too_dark", lambda photos: photos["brightness"] < limits.min_brightness),
        Rule("too_bright", lambda photos: photos["brightness"] > limits.max_brightness),
        Rule("too_blurred", lambda photos: photos["sharpness"] < limits.min_sharpness),
    ]
