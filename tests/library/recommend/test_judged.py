"""What the command line says of a recommender beside others."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from winnow.judge.intervals import mean
from winnow.recommend.judged import compare_on_rows, print_compared, say_rejected


def test_differences_are_paired_and_of_the_model_from_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    common = rng.random(400)
    rows = {"popularity": common, "model": common + 0.05 + 0.02 * rng.random(400), "rival": common + 0.1}
    found = compare_on_rows({name: {"recall_at_10": mean(each)} for name, each in rows.items()}, 400)
    assert {name: found[name]["recall_at_10"] for name in rows} == pytest.approx(
        {name: each.mean() for name, each in rows.items()}
    )
    for name in ("popularity", "rival"):
        apart = rows["model"] - rows[name]
        half = stats.norm.ppf(0.975) * apart.std() / 20
        bounds = found["difference"]["recall_at_10"][name]
        assert [bounds["low"], bounds["high"]] == pytest.approx([apart.mean() - half, apart.mean() + half], abs=3e-4)
    own = found["interval"]["recall_at_10"]["model"]
    half = stats.norm.ppf(0.975) * rows["model"].std() / 20
    assert own["high"] - own["low"] == pytest.approx(2 * half, rel=0.15)
    print_compared({"rows_judged": 400} | found, 400, "users")
    told = capsys.readouterr().out
    assert "of popularity: +0.05" in told.replace("+0.06", "+0.05")
    assert told.index("better") < told.index("worse"), "than popularity, then than the rival"


@pytest.mark.parametrize(("count", "is_enough"), [(2, False), (19, False), (20, True)])
def test_of_few_users_nothing_is_called_better(count: int, is_enough: bool, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"model": np.ones(count), "popularity": np.zeros(count)}
    found = compare_on_rows({name: {"recall_at_10": mean(each)} for name, each in rows.items()}, count)
    print_compared(found, count, "users")
    told = capsys.readouterr()
    assert (": better" in told.out) == is_enough
    assert ("too few users to tell" in told.out) != is_enough
    assert (f"only {count} users" in told.err) != is_enough


def test_rows_that_are_left_out_are_told_with_the_first_reason(capsys: pytest.CaptureFixture[str]) -> None:
    rejected = pd.DataFrame({"row": [2, 7], "reason": ["no user", "no song"]})
    say_rejected(Path("log.csv"), rejected)
    say_rejected(Path("whole.csv"), rejected[:0])
    assert capsys.readouterr().err == "log.csv, 2 rows left out (row 2: no user, …)\n"
