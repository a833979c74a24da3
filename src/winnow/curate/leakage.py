"""The check that no split shares what it must not share."""

import pandas as pd

from winnow.pipeline.errors import LeakageError

SHOWN_KEYS = 5


def check_no_leakage(split: "pd.Series[str]", keys: pd.DataFrame) -> None:
    """Raise LeakageError when a value of any column of `keys` is in two splits.

    `keys` has one row per row of `split` and one column per thing that must stay together: a group (patient, user,
    hold set) or a content digest (see `winnow.curate.duplicates`). Missing values are ignored.
    """
    for name in keys.columns:
        pairs = pd.DataFrame({"key": keys[name].to_numpy(), "split": split.to_numpy()})
        pairs = pairs.dropna(subset="key").drop_duplicates().sort_values(["key", "split"])
        leaked = pairs[pairs["key"].duplicated(keep=False)].groupby("key")["split"].agg(" and ".join)
        if len(leaked):
            listed = "; ".join(f"{key} in {both}" for key, both in leaked.head(SHOWN_KEYS).items())
            more = f"; and {len(leaked) - SHOWN_KEYS} more" if len(leaked) > SHOWN_KEYS else ""
            raise LeakageError(
                f"{len(leaked)} values of `{name}` are in two splits: {listed}{more}",
                fix=f"split with `{name}` as (part of) the group key",
            )
