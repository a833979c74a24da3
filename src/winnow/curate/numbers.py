"""Names as numbers, for tables that come in pieces."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class Numbers:
    """Numbers of names in the order in which they are met: the same name has the same number in every piece."""

    def __init__(self) -> None:
        self._known: dict[object, int] = {}

    def of(self, names: pd.Series) -> NDArray[np.int32]:
        """The number of each name, from 0 on; none is missing."""
        codes, found = pd.factorize(names)
        numbers = [self._known.setdefault(name, len(self._known)) for name in found]
        return np.array(numbers, dtype=np.int32)[codes]


def places_in(names: pd.Series, known: pd.Series) -> NDArray[np.int64]:
    """The place of each name among the known ones, which are unique; -1 where it is none of them."""
    codes, found = pd.factorize(names)
    places: NDArray[np.int64] = pd.Index(known).get_indexer(pd.Index(found)).astype(np.int64)
    return np.append(places, -1)[codes]
