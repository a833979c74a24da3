"""Which pages are worth learning from: readable, not blank, and each one once.

Pages that bring labels may be faded until nothing is left, which is what their labels say; and the same page may come
again with other labels, of another scan.
"""

import pandas as pd

from winnow.curate.filters import Rule
from winnow.domains.documents.params import Filter
from winnow.images.perceptual import near_groups

LABELS = ["score", "label", "issues"]


def page_rules(params: Filter) -> list[Rule]:
    """Why a page is dropped, in the order in which reasons are given."""
    return [
        Rule("unreadable", lambda pages: (pages["contrast"] < params.min_contrast) & ~has_labels(pages)),
        Rule("blank", lambda pages: (pages["ink_share"] < params.min_ink_share) & ~has_labels(pages)),
    ]


def repeated(pages: pd.DataFrame, max_distance: int) -> "pd.Series[bool]":
    """Whether an earlier page shows the same and has the same labels, if any; indexed like `pages`."""
    return shown(pages, max_distance).to_frame().join(pages[LABELS]).duplicated()


def shown(pages: pd.DataFrame, max_distance: int) -> "pd.Series[str]":
    """The id of the first page that shows what each page does; indexed like `pages`."""
    first = near_groups(pages["perceptual_hash"].tolist(), max_distance)
    return pages["image_id"].iloc[first].set_axis(pages.index)


def has_labels(pages: pd.DataFrame) -> "pd.Series[bool]":
    return pages[LABELS].notna().any(axis=1)
