"""Exact duplicates: rows whose content is the same, byte for byte or item for item."""

import hashlib

import numpy as np
import pandas as pd

DIGEST_LENGTH = 16
"""Hexadecimal digits: 64 bits, so a million rows collide with a chance of 3 in 100 million."""


def digest(content: str | bytes) -> str:
    """A short name for `content`: the same content has the same name, on any machine."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()[:DIGEST_LENGTH]


def set_digests(owner: pd.Series, item: "pd.Series[str]") -> "pd.Series[str]":
    """A digest of the set of items that each owner has, from a long table; indexed by owner, sorted.

    Neither the order of the rows nor a repeated item matters.
    """
    return _digest_runs(pd.DataFrame({"owner": owner, "item": item}).drop_duplicates().sort_values(["owner", "item"]))


def sequence_digests(owner: pd.Series, position: "pd.Series[int]", item: "pd.Series[str]") -> "pd.Series[str]":
    """A digest of the items of each owner in the order of `position`; indexed by owner, sorted."""
    rows = pd.DataFrame({"owner": owner, "position": position, "item": item})
    return _digest_runs(rows.sort_values(["owner", "position"]))


def _digest_runs(rows: pd.DataFrame) -> "pd.Series[str]":
    """Digests of the items of each run of one owner; items are joined by a character that no text holds."""
    owners = rows["owner"].to_numpy()
    items = rows["item"].astype(str).to_numpy()
    starts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1])) if len(owners) else np.array([], dtype=int)
    digests = [digest("\x1f".join(run)) for run in np.split(items, starts[1:])] if len(starts) else []
    return pd.Series(digests, index=pd.Index(owners[starts], name="owner"), dtype="str")
