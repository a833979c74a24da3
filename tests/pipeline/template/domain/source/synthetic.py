"""The embedded data."""

import numpy as np
import pandas as pd

from winnow.domains.toy.definitions import FEATURE

ROWS = (5, 40)
"""Rows of a group, from and to."""


def make(groups: int, features: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """The columns of `Rows`: the target is a curve of the first feature, a slope of the others, and a group's own."""
    sizes = rng.integers(*ROWS, groups)
    group = np.repeat(np.arange(groups), sizes)
    values = rng.normal(size=(len(group), len(features)))
    own = rng.normal(0, 0.2, groups)[group]
    target = np.sin(2 * values[:, 0]) + 0.3 * values[:, 1:].sum(1) + own + rng.normal(0, 0.1, len(group))
    table = pd.DataFrame(values, columns=[f"{FEATURE}{name}" for name in features])
    table.insert(0, "target", target)
    table.insert(0, "group", pd.Series([f"g{number:04}" for number in group], dtype="str"))
    table.insert(0, "row_id", pd.Series([f"synthetic:{number}" for number in range(len(group))], dtype="str"))
    return table
