"""The k-core of pairs (an owner, an item): owners with enough items and items with enough owners, both at once."""

import numpy as np
import pandas as pd


def k_core(owner: pd.Series, item: pd.Series, *, min_items: int, min_owners: int) -> tuple["pd.Series[bool]", int]:
    """Which rows lie in the largest set where every owner has `min_items` items and every item `min_owners` owners.

    A pair that occurs in several rows counts once. Returns a mask indexed like `owner`, and the rounds of removing
    until nothing changed.
    """
    owners, items = pd.factorize(owner)[0], pd.factorize(item)[0]
    width = int(items.max(initial=-1)) + 1
    pairs, pair_of_row = np.unique(owners * width + items, return_inverse=True)
    owners, items = pairs // max(width, 1), pairs % max(width, 1)
    inside = np.ones(len(pairs), dtype=bool)
    rounds = 0
    while True:
        rounds += 1
        items_of = np.bincount(owners[inside], minlength=len(owner))
        owners_of = np.bincount(items[inside], minlength=len(owner))
        still = inside & (items_of[owners] >= min_items) & (owners_of[items] >= min_owners)
        if (still == inside).all():
            return pd.Series(inside[pair_of_row], index=owner.index, dtype=bool), rounds
        inside = still
