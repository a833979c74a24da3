"""What a model refuses of new photographs: at least what the filter did, and what is more blurred than its training."""

from dataclasses import replace

import numpy as np
import pandas as pd

from winnow.domains.retina.definitions import QualityLimits
from winnow.domains.retina.rules.quality import for_new_photographs

LIMITS = QualityLimits(10, 200, 0.3, 0.9, 28)


def test_new_photographs_are_a_third_as_sharp_as_the_blurred_ones_of_training_at_least() -> None:
    sharpness = pd.Series(np.arange(1000, 2001, dtype=np.float64)).sample(frac=1, random_state=0)
    assert for_new_photographs(LIMITS, sharpness) == replace(LIMITS, min_sharpness=round(1010 / 3, 4))
    assert for_new_photographs(LIMITS, sharpness / 1000) == LIMITS, "never less than the filter asked for"
