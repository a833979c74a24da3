"""The figures of evaluate, as statistics over resamples of the test flowers."""

import pandas as pd

from winnow.judge.intervals import Statistic, mean


def statistics(flowers: pd.DataFrame) -> dict[str, Statistic]:
    """The metrics of predicted flowers, by the names they have in evaluate.json."""
    return {"accuracy": mean(flowers["predicted"] == flowers["label"])}
