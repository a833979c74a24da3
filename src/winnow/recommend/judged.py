"""What a recommender finds for users of other data, beside other recommenders, for the command line."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winnow.judge.intervals import Statistic, bootstrap, difference, values
from winnow.judge.too_few import FEWEST, too_few
from winnow.pipeline.console import say
from winnow.pipeline.recognised import left_out

HEADLINE = "recall_at_10"
RESAMPLES, CONFIDENCE = 1000, 0.95


def compare_on_rows(recommenders: Mapping[str, Mapping[str, Statistic]], rows: int) -> dict[str, Any]:
    """Every recommender's metrics by its name; `interval` and `difference` of Recall@10, at 95%.

    `recommenders` are the metrics of the same rows, the `model` among them. The differences are paired ones of the
    model from each other.
    """
    found: dict[str, Any] = {name: values(each, rows) for name, each in recommenders.items()}
    rng = np.random.default_rng(0)
    own = {name: each[HEADLINE] for name, each in recommenders.items()}
    apart = {name: difference(own["model"], each) for name, each in own.items() if name != "model"}
    for name, each in (("interval", own), ("difference", apart)):
        drawn = bootstrap(each, rows, resamples=RESAMPLES, confidence=CONFIDENCE, rng=rng)
        found[name] = {HEADLINE: _told(drawn)}
    return found


def say_rejected(path: Path, rejected: pd.DataFrame) -> None:
    """That rows of a file, with the columns row and reason, are left out, and the first reason."""
    if told := left_out(list(zip(rejected["row"], rejected["reason"], strict=True))):
        say(f"{path}{told}")


def print_compared(found: Mapping[str, Any], rows: int, what: str) -> None:
    """The counts, a line for each metric, and by how much the model differs, as a person reads them.

    `rows` is the number of `what` was judged (such as users).
    """
    say(*too_few(rows, what))
    print("   ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if isinstance(value, int)))
    others = list(found["difference"][HEADLINE])
    print(f"{'':<20}" + "".join(f"{name:>18}" for name in ("model", *others)))
    for name in found["model"]:
        own = (f"{found[who][name]:>18.4f}" for who in ("model", *others))
        print(f"{name:<20}" + "".join(own))
    low, high = found["interval"][HEADLINE]["model"].values()
    print(f"{HEADLINE} of the model: {low:.4f} to {high:.4f} (95%)")
    for name in others:
        low, high = found["difference"][HEADLINE][name].values()
        meaning = "better" if low > 0 else "worse" if high < 0 else "no clear difference"
        meaning = meaning if rows >= FEWEST else f"too few {what} to tell"
        print(f"  less that of {name}: {low:+.4f} to {high:+.4f}: {meaning}")


def _told(intervals: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {name: {side: round(value, 6) for side, value in asdict(each).items()} for name, each in intervals.items()}
