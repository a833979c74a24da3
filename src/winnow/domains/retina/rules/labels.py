"""The labels of a photograph: its grade, and whose eye it shows."""

import hashlib
import re

import numpy as np
import pandas as pd

from winnow.domains.retina import definitions

EYE_IN_NAME = re.compile(
    rf"(?P<patient>.+?)[_-](?P<eye>{'|'.join(definitions.EYE_WORDS)})(?:[_-](?:again|\d+))?", re.IGNORECASE
)
"""`10_left`, `P07_OD_2`; a photograph taken over again is the same patient's."""

NUMBER_IN_NAME = re.compile(r"(?P<series>.*?)(?P<number>\d{1,9})")

NEAR = 3
"""Numbers that may lie between two neighbours, for photographs that the filter dropped."""

ONE_EACH = (
    "⚠ every patient of {sources} has one photograph: where that is not so, both eyes of a patient may stand in two "
    "splits and the test is too easy. Name them <patient>_left and <patient>_right (or _OS, _OD), give the CSV a "
    "column `patient`, or set retina.label.neighbour_distance where a patient's photographs are numbered one after "
    "the other."
)


def eye_in_name(name: str) -> tuple[str | None, str]:
    """Patient and eye in a photograph's name: `10_left` is patient 10's left one; else None and `unknown`."""
    found = EYE_IN_NAME.fullmatch(name.rpartition("/")[2])
    return (found["patient"], definitions.EYE_WORDS[found["eye"].lower()]) if found else (None, "unknown")


def sources_of_single_photographs(labels: pd.DataFrame) -> list[str]:
    """The sources in which no patient has two photographs, sorted; of one photograph nothing can be said.

    A source is a file or folder, which `image_id` begins with: another one of its format may know its patients.
    """
    source = labels["image_id"].str.partition("/")[0]
    found = labels.groupby(source.to_numpy())["patient"].agg(["size", "nunique"])
    return sorted(str(name) for name in found.index[(found["size"] > 1) & (found["size"] == found["nunique"])])


def patients(photos: pd.DataFrame, neighbour_distance: float) -> "pd.Series[str]":
    """Whose photograph each is, indexed like `photos`: from the source or the name, else one patient per photograph.

    Among the latter, photographs of one series of numbers (`IDRiD_021`, `IDRiD_022`) that follow each other at most
    `NEAR` numbers apart and whose mean colours lie within `neighbour_distance` are one patient's, in runs of any
    length, named after the first. Without this, collections that only number their photographs patient by patient
    would be split through patients. An unrelated photograph in a run only makes one group fewer.
    """
    named = photos["patient"].fillna(photos["name"].map(lambda name: eye_in_name(name)[0]))
    owner = (photos["source"] + "/" + named).fillna(photos["image_id"])
    if not neighbour_distance:
        return owner
    alone = photos[named.isna()]
    parts = alone["image_id"].str.extract(f"^{NUMBER_IN_NAME.pattern}$").dropna()
    runs = alone.loc[parts.index].assign(series=parts["series"], number=parts["number"].astype("int64"))
    runs = runs.sort_values(["series", "number", "image_id"])
    before = runs.shift()
    apart = np.sqrt(sum((runs[colour] - before[colour]) ** 2 for colour in ("red", "green", "blue")))
    follows = (runs["series"] == before["series"]) & (runs["number"] - before["number"] <= NEAR)
    first = runs["image_id"].where(~(follows & (apart <= neighbour_distance)))
    return first.ffill().reindex(photos.index).fillna(owner)


def label_photographs(photos: pd.DataFrame, neighbour_distance: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of `Labels`, and of `Ungraded`: photographs whose grade is missing or none of the scale's five."""
    known = photos["grade"].isin(definitions.GRADES).astype(bool)
    reason = photos["grade"].map(lambda grade: "no grade" if pd.isna(grade) else f"grade {grade} is not one of 0 to 4")
    ungraded = photos.assign(reason=reason.astype("str"))[~known]
    graded = photos[known]
    labels = graded.assign(
        grade=graded["grade"].astype("int64"),
        referable=(graded["grade"] >= definitions.REFERABLE_FROM).astype(bool),
        patient=patients(graded, neighbour_distance).astype("str"),
        eye=graded["eye"].fillna(graded["name"].map(lambda name: eye_in_name(name)[1])).astype("str"),
    )
    columns = ["image_id", "grade", "referable", "patient", "eye", "duplicate_group", "official_split"]
    return labels[columns], ungraded[["image_id", "reason"]]


def patient_digest(patient: str) -> str:
    """SHA-256 of a patient's name, which identifies them in a model's folder without revealing who they are."""
    return hashlib.sha256(patient.encode()).hexdigest()


def eyes_agreement(labels: pd.DataFrame) -> dict[str, float]:
    """How often a patient's two eyes have one grade: why no patient may be in two splits. Empty without pairs."""
    first = labels[labels["eye"] != "unknown"].drop_duplicates(["patient", "eye"])
    pairs = first.set_index(["patient", "eye"])["grade"].unstack().dropna()  # noqa: PD010 - nothing to aggregate
    if not {"left", "right"} <= set(pairs.columns) or pairs.empty:
        return {}
    return {"patients": len(pairs), "same_grade_share": float((pairs["left"] == pairs["right"]).mean())}
