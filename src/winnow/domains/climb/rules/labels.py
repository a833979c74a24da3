"""What is to be learnt about a route: how hard it is, how well it is proven, and its holds as numbers."""

import pandas as pd

from winnow.domains.climb import definitions
from winnow.domains.climb.tables import Labels


def quality_bins(repeats: "pd.Series[int]", *, medium_from: int, high_from: int) -> "pd.Series[str]":
    """low, medium or high by the number of repeats; unknown where it is unknown."""
    quality = pd.Series("low", index=repeats.index, dtype="str")
    quality = quality.mask((repeats >= medium_from).fillna(False), "medium")
    quality = quality.mask((repeats >= high_from).fillna(False), "high")
    return quality.mask(repeats.isna(), "unknown")


def tokenise(holds: pd.DataFrame) -> pd.DataFrame:
    """Tokens of holds: cell indices bottom up, A to K within a row. All holds must be cells."""
    tokens = holds.assign(token=holds["hold"].map(definitions.CELL_INDEX).astype("int64")).sort_values(
        ["route_id", "token"]
    )
    tokens["position"] = tokens.groupby("route_id").cumcount()
    return tokens[["route_id", "position", "token"]]


def label_routes(routes: pd.DataFrame, *, medium_from: int, high_from: int) -> pd.DataFrame:
    """The columns of `Labels`: ordinal grade and quality bin beside what later stages need of a route."""
    labels = routes.assign(
        grade_index=routes["grade"].map(definitions.GRADE_INDEX).astype("int64"),
        quality=quality_bins(routes["repeats"], medium_from=medium_from, high_from=high_from),
    )
    return labels[list(Labels.to_schema().columns)]
