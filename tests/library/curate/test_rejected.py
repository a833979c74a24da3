"""Source rows that cannot be used."""

import pandas as pd
import pytest

from winnow.curate.rejected import check_rejected_share, rejected_rows
from winnow.pipeline.errors import SourceError


def test_rejected_rows_are_in_the_order_of_paths_and_rows() -> None:
    parts = [
        ("b", pd.DataFrame({"row": [1, 0], "reason": ["late", "early"], "more": [0, 0]})),
        ("a", pd.DataFrame({"row": [5], "reason": ["odd"], "more": [0]})),
        ("c", pd.DataFrame({"row": [], "reason": [], "more": []})),
    ]
    expected = [["a", 5, "odd"], ["b", 0, "early"], ["b", 1, "late"]]
    assert rejected_rows(parts).to_numpy().tolist() == expected
    assert rejected_rows(parts[2:]).dtypes.astype(str).to_dict() == {"source": "str", "row": "int64", "reason": "str"}


def test_too_many_rejected_rows_are_an_error_and_so_are_all_of_them() -> None:
    rejected = pd.DataFrame({"source": "a.csv", "row": range(8), "reason": "odd"})
    check_rejected_share(rejected, 16, 0.5, domain="toy")
    check_rejected_share(rejected, 9, 1.0, domain="toy")
    with pytest.raises(SourceError, match=r"8 of 15 source rows cannot be used: 53.3%.*50.0%") as caught:
        check_rejected_share(rejected, 15, 0.5, domain="toy")
    assert str(caught.value).count("a.csv, row") == 5
    with pytest.raises(SourceError, match=r"8 of 8 source rows cannot be used. The first ones:") as caught:
        check_rejected_share(rejected, 8, 1.0, domain="toy")
    assert "max_rejected_share" not in str(caught.value), "no share would let them pass"
    with pytest.raises(SourceError, match="the source files of toy hold no row"):
        check_rejected_share(rejected[:0], 0, 1.0, domain="toy")


def test_a_source_that_repeats_another_is_the_one_to_take_out() -> None:
    """A repaired file or a larger share would not help; where other rows alone are too many, they are the reason."""
    again = pd.DataFrame({"source": "my b.csv", "row": range(8), "reason": "the id 1 is also in my a.csv"})
    odd = pd.DataFrame({"source": "my b.csv", "row": range(5), "reason": "odd"})
    with pytest.raises(SourceError) as caught:
        check_rejected_share(pd.concat([again, odd[:1]]), 20, 0.1, domain="toy", repeated=" is also in ")
    assert "winnow remove toy 'my a.csv'" in caught.value.fix
    assert "winnow remove toy 'my b.csv'" in caught.value.fix
    assert "max_rejected_share" not in caught.value.fix
    with pytest.raises(SourceError) as caught:
        check_rejected_share(pd.concat([again, odd]), 20, 0.1, domain="toy", repeated=" is also in ")
    assert "max_rejected_share" in caught.value.fix
