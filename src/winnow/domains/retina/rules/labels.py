"""The labels of a photograph: its grade, and whose eye it shows."""

import re

import pandas as pd

from winnow.domains.retina import definitions

EYE_IN_NAME = re.compile(r"(?P<patient>.+?)[_-](?P<eye>left|right)(?:_again)?", re.IGNORECASE)
"""`10_left`; a photograph taken over again is the same patient's."""


def patient_and_eye(source: str, name: str) -> tuple[str, str]:
    """Whose eye it is: `10_left` and `10_right` are patient 10's; any other name is a patient of its own."""
    found = EYE_IN_NAME.fullmatch(name.rpartition("/")[2])
    if found is None:
        return f"{source}/{name}", "unknown"
    return f"{source}/{found['patient']}", found["eye"].lower()


def label_photographs(photos: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of `Labels`, and of `Ungraded`: photographs whose grade is missing or none of the scale's five."""
    known = photos["grade"].isin(definitions.GRADES).astype(bool)
    reason = photos["grade"].map(lambda grade: "no grade" if pd.isna(grade) else f"grade {grade} is not one of 0 to 4")
    ungraded = photos.assign(reason=reason.astype("str"))[~known]
    graded = photos[known]
    owners = [patient_and_eye(source, name) for source, name in zip(graded["source"], graded["name"], strict=True)]
    labels = graded.assign(
        grade=graded["grade"].astype("int64"),
        referable=(graded["grade"] >= definitions.REFERABLE_FROM).astype(bool),
        patient=pd.Series([patient for patient, _ in owners], index=graded.index, dtype="str"),
        eye=pd.Series([eye for _, eye in owners], index=graded.index, dtype="str"),
    )
    columns = ["image_id", "grade", "referable", "patient", "eye", "duplicate_group", "official_side"]
    return labels[columns], ungraded[["image_id", "reason"]]


def eyes_agreement(labels: pd.DataFrame) -> dict[str, float]:
    """How often a patient's two eyes have one grade: why no patient may be on two sides. Empty without pairs."""
    first = labels[labels["eye"] != "unknown"].drop_duplicates(["patient", "eye"])
    pairs = first.set_index(["patient", "eye"])["grade"].unstack().dropna()  # noqa: PD010 - nothing to aggregate
    if not {"left", "right"} <= set(pairs.columns) or pairs.empty:
        return {}
    return {"patients": len(pairs), "same_grade_share": float((pairs["left"] == pairs["right"]).mean())}
