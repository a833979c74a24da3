"""What a person must know of a grader before its figures."""

from typing import Any

import pandas as pd

from winnow.domains.retina import definitions


def collapsed(test: pd.DataFrame) -> str:
    """A sentence on a grader that answers the same for all test photographs, which differ; empty for any other."""
    if _alike(test["predicted"]) and not _alike(test["grade"]):
        grade = int(test["predicted"].iloc[0])
        answer = f"grade {grade} ({definitions.GRADE_NAMES[grade]})"
    elif _alike(test["referred"]) and not _alike(test["grade"] >= definitions.REFERABLE_FROM):
        answer = "refer" if test["referred"].iloc[0] else "do not refer"
    else:
        return ""
    return f"⚠ the model answers “{answer}” for all {len(test)} test photographs: it cannot be used"


def _alike(values: "pd.Series[Any]") -> bool:
    return bool((values == values.iloc[0]).all())


def never_predicted(test: pd.DataFrame) -> list[str]:
    """A sentence on the grades that test photographs have and no prediction does; nothing when there is none."""
    missing = sorted(set(test["grade"]) - set(test["predicted"]))
    count = int(test["grade"].isin(missing).sum())
    named = ", ".join(f"grade {grade} ({definitions.GRADE_NAMES[grade]})" for grade in missing)
    told = (
        f"The model never predicts {named}: {count} of {len(test)} test photographs have it, and are graded otherwise."
    )
    return [told] if missing else []
