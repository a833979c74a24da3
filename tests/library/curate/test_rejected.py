"""Source rows that cannot be used."""

import pandas as pd

from winnow.curate.rejected import rejected_rows


def test_rejected_rows_are_in_the_order_of_paths_and_rows() -> None:
    parts = [
        ("b", pd.DataFrame({"row": [1, 0], "reason": ["late", "early"], "more": [0, 0]})),
        ("a", pd.DataFrame({"row": [5], "reason": ["odd"], "more": [0]})),
        ("c", pd.DataFrame({"row": [], "reason": [], "more": []})),
    ]
    expected = [["a", 5, "odd"], ["b", 0, "early"], ["b", 1, "late"]]
    assert rejected_rows(parts).to_numpy().tolist() == expected
    assert rejected_rows(parts[2:]).dtypes.astype(str).to_dict() == {"source": "str", "row": "int64", "reason": "str"}
