"""The tables between the toy stages."""

import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.curate.split_names import SPLITS
from winnow.domains.toy import definitions
from winnow.pipeline.tables import Table


class Flowers(Table):
    flower: Series[int] = pa.Field(unique=True)
    species: Series[str] = pa.Field(isin=definitions.SPECIES)
    length: Series[float] = pa.Field(gt=0, description="of a petal, in cm")
    width: Series[float] = pa.Field(gt=0, description="of a petal, in cm")


class Dropped(tables.Dropped):
    flower: Series[int] = pa.Field(unique=True)


class Labels(Table):
    flower: Series[int] = pa.Field(unique=True)
    label: Series[int] = pa.Field(ge=0, lt=len(definitions.SPECIES))


class Splits(Table):
    flower: Series[int] = pa.Field(unique=True)
    split: Series[str] = pa.Field(isin=SPLITS)


class Weights(Table):
    flower: Series[int] = pa.Field(unique=True)
    weight: Series[float] = pa.Field(gt=0)


class Predictions(Table):
    flower: Series[int] = pa.Field(unique=True)
    label: Series[int]
    predicted: Series[int]
