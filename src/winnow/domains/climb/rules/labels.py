"""Labels of a route: its ordinal grade, its quality bin, and its holds as numbers."""

import pandas as pd

from winnow.domains.climb import definitions


def quality_bins(*, medium_from: int, high_from: int) -> pd.DataFrame:
    """The `QualityBins` table, by rising repeats."""
    return pd.DataFrame({"quality": ["low", "medium", "high"], "min_repeats": [0, medium_from, high_from]})


def quality_of(repeats: "pd.Series[int]", bins: pd.DataFrame) -> "pd.Series[str]":
    """The bin of `QualityBins` of each number of repeats; unknown where it is unknown."""
    quality = pd.Series("unknown", index=repeats.index, dtype="str")
    for name, least in zip(bins["quality"], bins["min_repeats"], strict=True):
        quality = quality.mask((repeats >= least).fillna(False), name)
    return quality


def tokenise(holds: pd.DataFrame) -> pd.DataFrame:
    """Tokens of holds: cell indices bottom up, A to K within a row. All holds must be cells."""
    tokens = holds.assign(token=holds["hold"].map(definitions.CELL_INDEX).astype("int64")).sort_values(
        ["route_id", "token"]
    )
    tokens["position"] = tokens.groupby("route_id").cumcount()
    return tokens[["route_id", "position", "token"]]


def label_routes(routes: pd.DataFrame, bins: pd.DataFrame) -> pd.DataFrame:
    """The routes with their ordinal grade and their quality bin, in the columns grade_index and quality."""
    return routes.assign(
        grade_index=routes["grade"].map(definitions.GRADE_INDEX).astype("int64"),
        quality=quality_of(routes["repeats"], bins),
    )
