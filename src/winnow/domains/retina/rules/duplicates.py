"""Duplicate photographs: groups, agreement of their grades, and which of them are kept."""

import pandas as pd

from winnow.domains.retina import definitions
from winnow.domains.retina.params import Filter
from winnow.images.perceptual import near_groups


def duplicate_groups(photos: pd.DataFrame, max_distance: int) -> "pd.Series[str]":
    """The image_id of the first photograph that shows the same; its own when it is the first. Indexed like `photos`."""
    first = near_groups(photos["perceptual_hash"].tolist(), max_distance)
    return photos["image_id"].iloc[first].set_axis(photos.index)


def report_duplicates(photos: pd.DataFrame, reason: "pd.Series[str]") -> pd.DataFrame:
    """The columns of `Duplicates`, from photographs with their `duplicate_group` and why each is dropped, if it is."""
    group = photos.groupby("duplicate_group")
    several = group["image_id"].transform("size") > 1
    report = photos.assign(grades_agree=_agree(photos), kept=reason.isna())[several]
    columns = ["duplicate_group", "image_id", "grade", "grades_agree", "kept"]
    return report.sort_values(["duplicate_group", "image_id"])[columns]


def surplus(photos: pd.DataFrame, params: Filter) -> "pd.Series[str]":
    """Why a photograph is dropped because of its duplicates: `conflicting_grades`, `duplicate`, or missing.

    The copy that stays is a source's official test photograph if there is one, else a validation one, else the first.
    No official test or validation photograph is dropped for another one of its own split: a published test stays whole.
    """
    group = photos.groupby("duplicate_group")
    rank = photos["official_split"].map({"test": 0, "val": 1}).fillna(2).astype("int64")
    best = rank.groupby(photos["duplicate_group"]).transform("min")
    first = group["image_id"].transform("min")
    outranked = (rank > best) | ((rank == 2) & (photos["image_id"] != first))
    reason: pd.Series[str] = pd.Series(None, index=photos.index, dtype="str")
    if params.conflicts == "drop":
        reason[~_agree(photos) & (group["image_id"].transform("size") > 1)] = "conflicting_grades"
    if params.duplicates == "drop":
        reason[reason.isna() & outranked] = "duplicate"
    return reason


def conflicts(report: pd.DataFrame) -> dict[str, int]:
    """How often duplicates disagree, and by how many grades at most, for the metrics."""
    apart = (
        report[~report["grades_agree"]].groupby("duplicate_group")["grade"].agg(lambda grade: grade.max() - grade.min())
    )
    return {
        "groups": int(report["duplicate_group"].nunique()),
        "photographs": len(report),
        "groups_with_conflicting_grades": len(apart),
        **{
            f"groups_apart_by_{step}": int((apart == step).sum())
            for step in definitions.GRADES[1:]
            if (apart == step).any()
        },
    }


def _agree(photos: pd.DataFrame) -> "pd.Series[bool]":
    """Whether all of a photograph's group have one grade; a missing one agrees with nothing but itself."""
    return photos["grade"].fillna(-1).groupby(photos["duplicate_group"]).transform("nunique") == 1
