"""The check that no split shares what it must not share."""
import pandas as pd

from winnow.pipeline.errors import LeakageError

SHOWN_KEYS = 5


def refuse_leakage(side: "pd.Series[str]", keys: pd.DataFrame) -> None:
    """Raise LeakageError when a value of any column of `keys` stands on two sides.

    `keys` has one row per row of `side` and one column per thing that must stay together: a group (patient, user,
    hold set) or a content digest (see `winnow.curate.duplicates`). Missing values belong to nothing.
    """
    for name in keys.columns:
        pairs = pd.DataFrame({"key": keys[name].to_numpy(), "side": side.to_numpy()}).dropna(subset=["key"]).drop_duplicates()
        sides = pairs.groupby("key")["side"].agg(["size", lambda found: " and ".join(sorted(found))])
        leaked = sides[sides["size"] > 1]
        if len(leaked):
            told = "; ".join(f"{key} in {both}" for key, both in leaked.iloc[:SHOWN_KEYS, 1].items())
            more = len(leaked) - SHOWN_KEYS
            raise LeakageError(
                f"{len(leaked)} values of `{name}` stand on two sides of the split: {told}" + (f"; and {more} more" if more > 0 else ""),
                fix=f"split with `{name}` as (part of) the group key",
            )
