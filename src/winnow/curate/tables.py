"""Tables that the data stages of several domains write."""

import pandera.pandas as pa
from pandera.typing import Series

from winnow.pipeline.tables import Table


class Rejected(Table):
    """One row per source row that could not be used."""

    source: Series[str] = pa.Field(description="path as named in params.yaml")
    row: Series[int] = pa.Field(ge=0, description="row in the file, or place in the folder")
    reason: Series[str]


class Dropped(Table):
    """One row per dropped row; a domain's own `Dropped` adds the column that identifies the row."""

    rule: Series[str] = pa.Field(description="the first rule it breaks")
