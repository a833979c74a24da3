"""The tables between the stages."""

import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.domains.toy.definitions import FEATURE, SPLITS
from winnow.pipeline.tables import Table


class Rows(Table):
    row_id: Series[str] = pa.Field(unique=True, description="file and row, counted from 0")
    group: Series[str]
    target: Series[float]
    features: Series[float] = pa.Field(alias=f"{FEATURE}.+", regex=True)


class Dropped(tables.Dropped):
    row_id: Series[str] = pa.Field(unique=True)


class Labels(Table):
    row_id: Series[str] = pa.Field(unique=True)
    target: Series[float]


class Splits(Table):
    row_id: Series[str] = pa.Field(unique=True)
    split: Series[str] = pa.Field(isin=SPLITS)


class Weights(Table):
    row_id: Series[str] = pa.Field(unique=True)
    weight: Series[float] = pa.Field(gt=0)


class Predictions(Table):
    row_id: Series[str] = pa.Field(unique=True)
    group: Series[str]
    target: Series[float]
    predicted: Series[float]
