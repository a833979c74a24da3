"""Tables that every recommender's evaluation writes. Loads no torch."""

import pandera.pandas as pa
from pandera.typing import Series

from winnow.pipeline.tables import Table


class Exposure(Table):
    """How often items are recommended, by how popular they are."""

    recommender: Series[str]
    decile: Series[int] = pa.Field(ge=1, le=10, description="of the items by users; 10: the most popular tenth")
    share: Series[float] = pa.Field(ge=0, le=1, description="of all places in the lists")
