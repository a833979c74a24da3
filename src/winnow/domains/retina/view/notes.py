"""What a person must know of a grader before its figures."""

import pandas as pd

from winnow.domains.retina import definitions


def never_predicted(test: pd.DataFrame) -> list[str]:
    """A sentence on the grades that test photographs have and no prediction does; nothing when there is none."""
    missing = sorted(set(test["grade"]) - set(test["predicted"]))
    count = int(test["grade"].isin(missing).sum())
    named = ", ".join(f"grade {grade} ({definitions.GRADE_NAMES[grade]})" for grade in missing)
    told = (
        f"The model never predicts {named}: {count} of {len(test)} test photographs have it, and are graded otherwise."
    )
    return [told] if missing else []
