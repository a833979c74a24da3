"""The calibration sample and the validation sample: on-topic, off-topic and edge articles, and none in both."""

from collections.abc import Collection

import numpy as np
import pandas as pd

from winnow.domains.articles.params import Calibration
from winnow.pipeline.errors import TableError

FEWEST = 5
"""The fewest on-topic and off-topic articles of a usable sample."""


def draw_samples(
    kept: pd.DataFrame, params: Calibration, scored: Collection[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The calibration sample and the validation sample, as rows of `Kept`, by article_id.

    Of a topic that has too few articles for both, each gets half. Articles that people have `scored` come first, half
    of them in each sample, so that agreement can be measured. Near-duplicates of one sample are not in the other.
    Raises TableError when a sample would have fewer than `FEWEST` on-topic or off-topic articles.
    """
    by_people = kept.assign(scored=kept["article_id"].isin(list(scored)))
    unique = by_people.sort_values(["scored", "article_id"], ascending=[False, True]).drop_duplicates("duplicate_group")
    unique = unique.sort_values("article_id")
    wanted = {"on": params.on_topic, "off": params.off_topic, "edge": params.edge}
    halves = {topic: min(count, _half(unique, topic)) for topic, count in wanted.items()}
    first = _draw(unique, halves, params.seed, scored_share=0.5)
    rest = unique[~unique["article_id"].isin(first["article_id"])]
    second = _draw(rest, wanted, params.validation_seed)
    for topic in ("on", "off"):
        count = min(int((sample["topic"] == topic).sum()) for sample in (first, second))
        if count < FEWEST:
            raise TableError(
                f"{count} {topic}-topic articles are too few to calibrate on: each of the two samples needs {FEWEST}",
                where="data/articles/filter/articles.parquet",
                fix=f"use more articles, or name words of {topic}-topic ones in the filter's prefilter.yaml (topic)",
            )
    return first.drop(columns="scored"), second.drop(columns="scored")


def _half(kept: pd.DataFrame, topic: str) -> int:
    return int((kept["topic"] == topic).sum()) // 2


def _draw(kept: pd.DataFrame, wanted: dict[str, int], seed: int, scored_share: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    parts = []
    for topic, count in wanted.items():
        rows = kept[kept["topic"] == topic]
        drawn = rows.iloc[rng.permutation(len(rows))]
        people = drawn[drawn["scored"]]
        people = people.iloc[: min(int(np.ceil(len(people) * scored_share)), count)]
        rest = drawn.drop(people.index)
        rest = pd.concat([rest[~rest["scored"]], rest[rest["scored"]]]).iloc[: count - len(people)]
        parts.append(pd.concat([people, rest]))
    return pd.concat(parts).sort_values("article_id", ignore_index=True)


def probe_articles(sample: pd.DataFrame, count: int) -> dict[str, list[str]]:
    """Which articles of a sample each probe asks about again: off-topic ones for the injection, on-topic ones else."""
    on = sample.loc[sample["topic"] == "on", "article_id"].tolist()[:count]
    off = sample.loc[sample["topic"] == "off", "article_id"].tolist()[:count]
    mixed = [name for pair in zip(on, off, strict=False) for name in pair][:count]
    return {"repeat": mixed, "reversed": on, "doubled": on, "injected": off}
