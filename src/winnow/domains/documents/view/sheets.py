"""The pages whose scores are furthest from the truth, and where the network saw damage on them."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from winnow.show.page import Example
from winnow.show.pairs import pair_images, pair_sheet

MEANING = "what lowered the score most"


def error_sheet(cases: pd.DataFrame, columns: int) -> Figure:
    """The worst errors: each page and the same under its heat map, with true and predicted scores and issues."""
    drawn = [(case["png"], case["heat"], *_told(case)) for case in cases.to_dict("records")]
    return pair_sheet(drawn, columns, height=4.2, meaning=MEANING)


def error_examples(cases: pd.DataFrame) -> list[Example]:
    """The same for the page."""
    return [
        Example(
            case["image_id"],
            pictures=pair_images(case["png"], case["heat"], f"page {case['image_id']}", MEANING),
            lines=_told(case),
        )
        for case in cases.to_dict("records")
    ]


def _told(case: dict[Any, Any]) -> tuple[str, str]:
    true = f"true score {case['true_score']:.2f}: {case['truth'] or 'no issue'}"
    return true, f"model {case['score']:.2f}: {case['found'] or 'no issue'}"
