"""What is to be learnt about a route: how hard it is, how well it is proven, and its holds as numbers."""

import pandas as pd

from winnow.domains.climb import nouns


def quality_bins(repeats: "pd.Series[int]", *, medium_from: int, high_from: int) -> "pd.Series[str]":
    """low, medium or high by the number of repeats; unknown where it is unknown."""
    quality = pd.Series("low", index=repeats.index, dtype="str")
    quality = quality.mask((repeats >= medium_from).fillna(False), "medium")
    quality = quality.mask((repeats >= high_from).fillna(False), "high")
    return quality.mask(repeats.isna(), "unknown")


def tokenise(holds: pd.DataFrame) -> pd.DataFrame:
    """Tokens of holds: cell indices bottom up, A to K within a row. All holds must be cells."""
    tokens = holds.assign(token=holds["hold"].map(nouns.CELL_INDEX).astype("int64")).sort_values(["route_id", "token"])
    tokens["position"] = tokens.groupby("route_id").cumcount()
    return tokens[["route_id", "position", "token"]]
