"""Tables that every recommender's evaluation writes. Loads no torch."""

import pandera.pandas as pa
from pandera.typing import Series

from winnow.pipeline.tables import Table


class Exposure(Table):
    """How often items are recommended, by how popular they are."""

    recommender: Series[str]
    decile: Series[int] = pa.Field(ge=1, le=10, description="of the items by users; 10: the most popular tenth")
    share: Series[float] = pa.Field(ge=0, le=1, description="of all places in the lists")


class Checks(Table):
    """The first reasons of recommendations, each beside another reason drawn at random."""

    user_index: Series[int] = pa.Field(unique=True, ge=0, description="the user, or playlist, that it is for")
    item_index: Series[int] = pa.Field(ge=0, description="what is recommended first")
    kind: Series[str] = pa.Field(description="of the first reason")
    fall: Series[float] = pa.Field(description="of the score without the first reason")
    other_fall: Series[float] = pa.Field(description="of the score without the other one")
