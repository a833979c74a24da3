"""The cases that plot shows: the pages whose score errs most, with what lowers their score."""

import numpy as np
import pandas as pd

from winnow.domains.documents import definitions
from winnow.domains.documents.definitions import Floats
from winnow.domains.documents.model.examples import Examples
from winnow.domains.documents.model.heatmaps import explain
from winnow.domains.documents.model.network import Assessor
from winnow.images.codec import encode_png, load_pixels

WORST_ISSUES = 3


def explained_cases(model: Assessor, examples: Examples, test: pd.DataFrame, count: int) -> pd.DataFrame:
    """The columns of `Explained`: the test images whose score is furthest from the truth."""
    error = (test["score"] - test["true_score"]).abs()
    worst = test.loc[error.sort_values(ascending=False, kind="stable").index[:count]]
    place = {image_id: row for row, image_id in enumerate(examples.rows["image_id"])}
    cases = []
    for row in worst.to_dict("records"):
        number = place[row["image_id"]]
        pictures = explain(model, load_pixels(examples.images[number], "L"))
        cases.append(
            {
                "image_id": row["image_id"],
                "true_score": row["true_score"],
                "score": row["score"],
                "found": worst_issues(np.array([row[name] for name in definitions.severity_columns()])),
                "truth": worst_issues(examples.severities[number].double().numpy()),
                "png": encode_png(pictures.page),
                "heat": encode_png(pictures.heat),
            }
        )
    return pd.DataFrame(cases)


def worst_issues(severities: Floats) -> str:
    """The most severe issues as text."""
    known = np.nan_to_num(severities)
    order = np.argsort(-known, kind="stable")[:WORST_ISSUES]
    return ", ".join(f"{definitions.ISSUES[place]} {known[place]:.2f}" for place in order if known[place] >= 0.05)
