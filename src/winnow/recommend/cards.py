"""Recommended lists as the page shows them. Loads no torch."""

import pandas as pd

from winnow.show.page import Table

FOUND = {True: "yes", False: "no"}


def list_table(part: pd.DataFrame, item: str, found: str) -> Table:
    """The list of one user: each place's item (a column of `part`), whether it was right, and its first reason.

    `part` has one row per place and reason, the first reason first, with the columns place, found, kind, reason and
    effect; `found` says what right means.
    """
    columns = ["place", item, "found", "kind", "reason", "effect"]
    firsts = part.groupby("place", sort=True).first().reset_index()
    rows = [
        [str(place), str(name), FOUND[bool(right)], f"{kind}: {reason}", f"{effect:+.3f}"]
        for place, name, right, kind, reason, effect in firsts[columns].to_numpy().tolist()
    ]
    return Table("The first places", ["", item, found, "first reason", "effect"], rows)
