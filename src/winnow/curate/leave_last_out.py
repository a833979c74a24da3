"""Hold out the last rows of every owner, so that later rows are predicted from earlier ones."""

import pandas as pd

from winnow.curate.split_names import SPLITS


def leave_last_out(
    owner: pd.Series, order: pd.Series, *, val: "pd.Series[int] | int", test: "pd.Series[int] | int"
) -> "pd.Series[str]":
    """The split of each row: each owner's last `test` rows by `order`, the `val` rows before them, and train.

    `val` and `test` are the same for all owners or given per row (equal within an owner). An owner without a row left
    for training keeps all rows in train, so that every tested owner is known to the model. Indexed like `owner`,
    which has distinct index values, as has every owner's `order`.
    """
    rows = pd.DataFrame({"owner": owner, "order": order, "val": val, "test": test}).sort_values(["owner", "order"])
    from_end = rows.groupby("owner").cumcount(ascending=False)
    size = rows.groupby("owner")["owner"].transform("size")
    held = rows["val"] + rows["test"]
    train, validation, tested = SPLITS
    split = pd.Series(train, index=rows.index, dtype="str")
    split[from_end < held] = validation
    split[from_end < rows["test"]] = tested
    split[held >= size] = train
    return split.reindex(owner.index)
