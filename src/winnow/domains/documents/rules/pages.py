"""Which pages are worth learning from: readable, not blank, and each one once."""

import pandas as pd

from winnow.curate.filters import Rule
from winnow.domains.documents.params import Filter
from winnow.images.perceptual import near_groups


def page_rules(params: Filter) -> list[Rule]:
    """Why a page is dropped, in the order in which reasons are given."""
    return [
        Rule("unreadable", lambda pages: pages["contrast"] < params.min_contrast),
        Rule("blank", lambda pages: pages["ink_share"] < params.min_ink_share),
    ]


def repeated(pages: pd.DataFrame, max_distance: int) -> "pd.Series[bool]":
    """Whether an earlier page shows the same; indexed like `pages`."""
    first = near_groups(pages["perceptual_hash"].tolist(), max_distance)
    return pd.Series(first != range(len(pages)), index=pages.index, dtype=bool)
