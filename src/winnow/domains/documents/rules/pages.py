"""Which pages are worth learning from: readable, not blank, and each one once.

Pages that bring labels may be faded until nothing is left, which is what their labels say; and the same page may come
again with other labels, of another scan. Pages that look alike, such as a form that was filled in twice, are kept in
one split; only what shows the same at full resolution is dropped.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from winnow.curate.filters import Rule, apply_rules, check_not_empty, dropped_rows
from winnow.curate.splits import connected_groups
from winnow.domains.documents.params import Filter
from winnow.images.alike import same_map, same_page
from winnow.images.codec import load_pixels
from winnow.images.perceptual import near_groups
from winnow.images.store import Images

LABELS = ["score", "label", "issues"]
COMPARED = 50
"""Pages of those that look alike with which a page is compared at full resolution: the nearest by their hashes."""


def page_rules(params: Filter) -> list[Rule]:
    """Why a page is dropped, in the order in which reasons are given."""
    return [
        Rule("unreadable", lambda pages: (pages["contrast"] < params.min_contrast) & ~has_labels(pages)),
        Rule("blank", lambda pages: (pages["ink_share"] < params.min_ink_share) & ~has_labels(pages)),
    ]


def keep_pages(
    pages: pd.DataFrame, images: Images, params: Filter
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """`Pages` that stay, `Dropped`, and how many each rule dropped; `images` are the encoded pages, row by row.

    Raises TableError when none is left.
    """
    rules = page_rules(params)
    reason = apply_rules(pages, rules)
    readable = reason.isna().to_numpy()
    again = repeated(pages[readable], images.take(np.flatnonzero(readable)), params.max_hash_distance)
    reason[again.index[again]] = "duplicate"
    counts = {name: int((reason == name).sum()) for name in (*(rule.name for rule in rules), "duplicate")}
    kept = pages[reason.isna()]
    check_not_empty(kept, counts, fix="loosen documents.filter, or name other documents.ingest.sources")
    return kept, dropped_rows(pages["image_id"], reason), counts


def repeated(pages: pd.DataFrame, images: Sequence[bytes], max_distance: int) -> "pd.Series[bool]":
    """Whether an earlier page shows the same, at full resolution, and has the same labels; indexed like `pages`.

    Only pages that look alike, by their hashes, are compared; `images` are the encoded pages, row by row. A page of
    which the source says what it shows is a copy that is meant, since two without an issue hardly differ.
    """
    again = np.zeros(len(pages), dtype=np.bool_)
    labels = pages[LABELS].astype("str").fillna("").agg("|".join, axis=1).to_numpy()
    hashes = [np.frombuffer(bytes.fromhex(text), np.uint8) for text in pages["perceptual_hash"]]

    def map_of(place: int) -> bytes:
        return bytes.fromhex(pages["print_map"].iloc[place])

    unnamed = np.flatnonzero(pages["page"].isna())
    places = pd.Series(unnamed).groupby([shown(pages, max_distance).to_numpy()[unnamed], labels[unnamed]])
    for _, group in places:
        kept: list[int] = []
        for place in group.tolist():
            distances = [int(np.bitwise_count(hashes[place] ^ hashes[other]).sum()) for other in kept]
            nearest = [kept[number] for number in np.argsort(distances, kind="stable")[:COMPARED]]
            alike = [other for other in nearest if same_map(map_of(place), map_of(other))]
            page = load_pixels(images[place], "L") if alike else None
            again[place] = any(page is not None and same_page(page, load_pixels(images[other], "L")) for other in alike)
            if not again[place]:
                kept.append(place)
    return pd.Series(again, index=pages.index)


def shown(pages: pd.DataFrame, max_distance: int) -> "pd.Series[str]":
    """What each page shows: the id of the first that looks like it, or what its source says; indexed like `pages`.

    What sources say is joined by looks only with pages of which none says anything: bad copies of different pages may
    look alike, but a page and a data set made from it must not be on two sides.
    """
    first = near_groups(pages["perceptual_hash"].tolist(), max_distance)
    alike = pages["image_id"].iloc[first].set_axis(pages.index)
    of_unnamed = alike.isin(alike[pages["page"].isna()])
    keys = {"image_id": pages["image_id"], "alike": alike.where(of_unnamed), "page": pages["page"]}
    groups = connected_groups(pd.DataFrame(keys))
    return pages["page"].fillna(alike).groupby(groups.to_numpy()).transform("first")


def has_labels(pages: pd.DataFrame) -> "pd.Series[bool]":
    return pages[LABELS].notna().any(axis=1)
