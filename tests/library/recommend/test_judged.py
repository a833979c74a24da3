"""What the command line says of a recommender beside others."""

import numpy as np
import pytest
from scipy import stats

from winnow.judge.intervals import mean
from winnow.recommend.judged import compare_on_rows, print_compared


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
    print_compared({"rows_judged": 400} | found)
    told = capsys.readouterr().out
    assert "of popularity: +0.05" in told.replace("+0.06", "+0.05")
    assert told.index("better") < told.index("worse"), "than popularity, then than the rival"
