"""The embedded data."""

import numpy as np
import pandas as pd

from winnow.domains.toy import definitions


def grow(count: int, rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Flowers`: tulips are one in four, and longer."""
    tulip = rng.random(count) < 0.25
    return pd.DataFrame(
        {
            "flower": np.arange(count),
            "species": pd.Series(np.where(tulip, *reversed(definitions.SPECIES)), dtype="str"),
            "length": rng.lognormal(np.where(tulip, 1.6, 1.0), 0.2),
            "width": rng.lognormal(0, 0.2, count),
        }
    )
