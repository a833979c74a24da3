"""The tables of earlier stages joined: one row per labelled image."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from winnow.domains.documents import definitions
from winnow.domains.documents.rules.measures import NAMES
from winnow.images.store import Images
from winnow.pipeline.errors import TableError


@dataclass(frozen=True)
class Examples:
    """The labelled images, row by row."""

    rows: pd.DataFrame
    """image_id, document, score, label, split; in the training split score may be NaN, and label then -1"""
    images: Images
    """in the order of the rows"""
    measures: Tensor
    """(rows, measures)"""
    measure_names: tuple[str, ...]
    legibility: Tensor
    """(rows,), by the documented function, NaN where severities are unknown"""
    readability: Tensor
    """(rows,), as an OCR found it, NaN where it was not read"""
    severities: Tensor
    """(rows, 10), NaN where unknown"""
    flags: Tensor
    """(rows, 10), NaN where unknown"""

    def of_split(self, name: str) -> Tensor:
        """Places of the rows of a split; raises TableError when there is none."""
        places = np.flatnonzero(self.rows["split"] == name)
        if not len(places):
            raise TableError(f"no image is in the {name} split", fix="raise its share, or use more data")
        return torch.from_numpy(places)


def join_examples(
    labels: pd.DataFrame, splits: pd.DataFrame, severities: pd.DataFrame, measures: pd.DataFrame, images: Images
) -> Examples:
    """Examples in the order of their ids."""
    rows = labels[["image_id", "document", "score", "label", "readability"]].merge(
        splits[["image_id", "split"]], on="image_id", validate="one_to_one"
    )
    rows = rows.sort_values("image_id", ignore_index=True).fillna({"label": -1}).astype({"label": "int64"})
    ids, issues = rows["image_id"], list(definitions.ISSUES)
    wide = severities.astype({"flagged": "Float64"}).set_index(["image_id", "issue"])
    severity = wide["severity"].unstack().loc[ids, issues]  # noqa: PD010 - nothing to aggregate
    flagged = wide["flagged"].unstack().loc[ids, issues]  # noqa: PD010
    values = measures.set_index("image_id")
    return Examples(
        rows=rows,
        images=images.select(ids),
        measures=torch.from_numpy(values.loc[ids, list(NAMES)].to_numpy(np.float32, copy=True)),
        measure_names=NAMES,
        legibility=torch.from_numpy(
            definitions.severity_score(severity.to_numpy(np.float64), definitions.LEGIBILITY).astype(np.float32)
        ),
        readability=torch.from_numpy(rows["readability"].to_numpy(np.float32)),
        severities=torch.from_numpy(severity.to_numpy(np.float32, copy=True)),
        flags=torch.from_numpy(flagged.to_numpy(np.float32, na_value=np.nan)),
    )
