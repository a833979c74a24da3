"""Rightly and wrongly graded photographs with the network's heat maps."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.retina import definitions
from winnow.images.codec import load_pixels
from winnow.show.page import Example
from winnow.show.pairs import pair_images, pair_sheet

SHOWN = 150
"""Pixels of a photograph in the page, at least: a smaller one is enlarged by the browser."""
MEANING = "what raised the score of the predicted grade"


def case_sheet(cases: pd.DataFrame, columns: int) -> Figure:
    """Right cases, then wrong ones; each as the photograph and the same under its heat map."""
    drawn = [(case["png"], case["heat"], _told(case), _graded(case)) for case in _ordered(cases)]
    return pair_sheet(drawn, columns, height=1.8, meaning=MEANING)


def case_examples(cases: pd.DataFrame) -> list[Example]:
    """The same for the page."""
    return [
        Example(
            f"{_told(case)}, {_graded(case)}",
            pictures=pair_images(
                case["png"], case["heat"], f"photograph {case['image_id']} as the network sees it", MEANING
            ),
            lines=[case["image_id"]],
        )
        for case in _ordered(cases)
    ]


def stored_size(cases: pd.DataFrame) -> str:
    """The size of the cases' photographs, as ingest stored them whatever the files have, and if the page enlarges them.

    Such as `48 × 48 pixels, enlarged here without more detail`.
    """
    height, width = load_pixels(cases["png"].iloc[0]).shape[:2]
    return f"{width} × {height} pixels" + (", enlarged here without more detail" if width < SHOWN else "")


def _ordered(cases: pd.DataFrame) -> list[dict[Any, Any]]:
    right = cases["grade"] == cases["predicted"]
    return pd.concat([cases[right], cases[~right]]).to_dict("records")


def _told(case: dict[Any, Any]) -> str:
    word = "right" if case["grade"] == case["predicted"] else "wrong"
    return f"{word}: is {case['grade']} ({definitions.GRADE_NAMES[case['grade']]})"


def _graded(case: dict[Any, Any]) -> str:
    return f"graded {case['predicted']} ({case['probability']:.0%} sure)"
