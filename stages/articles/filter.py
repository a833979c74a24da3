"""
Drop what is not worth a label by the filter's prefilter, and find articles that say the same.

    dvc repro filter@articles
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from winnow.curate.filters import check_not_empty, dropped_rows
from winnow.domains.articles.definitions import Prefilter
from winnow.domains.articles.params import Common, Filter
from winnow.domains.articles.rules.duplicates import near_duplicate_groups
from winnow.domains.articles.rules.parts import SIFTED, sift_part, sketch_part
from winnow.domains.articles.rules.prefilter import RULES, digest_of
from winnow.domains.articles.source.filters import read_filter
from winnow.domains.articles.tables import Dropped, Kept
from winnow.pipeline.parallel import spread, workers
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import table_parts

SOURCE_FILES = ["filters/*/v*/prefilter.yaml"]


def sift_articles(path: Path, prefilter: Prefilter) -> pd.DataFrame:
    """The first broken rule (missing where none is), topic, words and digest of each article, a part at a time."""
    parts = range(len(table_parts(path)))
    sifted = spread(partial(sift_part, path.absolute(), prefilter), parts, prefer="processes")
    return pd.concat([pd.DataFrame(columns=list(SIFTED)).astype(SIFTED), *sifted], ignore_index=True)


def mark_duplicates(sifted: pd.DataFrame, path: Path, params: Filter) -> pd.DataFrame:
    """The table with the column duplicate_group, and with the rules `duplicate` and `near_duplicate`.

    `sifted` has the articles of the file in its order. Of those that say the same, the one with the smallest article_id
    stays.
    """
    exact = sifted["rule"].isna() & sifted.duplicated("digest")
    sifted = sifted.assign(rule=sifted["rule"].mask(exact, "duplicate"))
    if params.duplicates == "exact":
        return sifted.assign(duplicate_group=sifted["article_id"])
    wanted = sifted["rule"].isna().to_numpy()
    rows = table_parts(path)
    bits = (np.packbits(part).tobytes() for part in np.split(wanted, np.cumsum(rows)[:-1]))
    parts = zip(range(len(rows)), bits, strict=False)  # no row is no part
    sketches = spread(partial(sketch_part, path.absolute(), params.permutations), parts, prefer="processes")
    groups = near_duplicate_groups(
        sifted.loc[wanted, "article_id"].tolist(),
        (sketch for part in sketches for sketch in part),
        similarity=params.near_duplicate,
        permutations=params.permutations,
    )
    sifted = sifted.assign(duplicate_group=sifted["article_id"].map(groups))
    if params.duplicates == "drop":
        near = sifted["rule"].isna() & (sifted["duplicate_group"] != sifted["article_id"])
        sifted["rule"] = sifted["rule"].mask(near, "near_duplicate")
    return sifted


def main(stage: Stage[Common, Filter]) -> None:
    path = stage.input("ingest/articles.parquet")
    prefilter = read_filter(stage.common.definition).prefilter
    with workers(stage.runtime.cluster):
        sifted = mark_duplicates(sift_articles(path, prefilter), path, stage.params)
    kept = sifted.loc[sifted["rule"].isna(), list(Kept.to_schema().columns)]
    found = sifted["rule"].value_counts()
    counts = {name: int(found.get(name, 0)) for name in (*RULES, "duplicate", "near_duplicate")}
    check_not_empty(kept, counts, fix=f"loosen the prefilter.yaml of {stage.common.definition}")
    stage.write("articles.parquet", kept, Kept)
    stage.write("dropped.parquet", dropped_rows(sifted["article_id"], sifted["rule"]), Dropped)
    stage.account(len(sifted), kept=len(kept), dropped=len(sifted) - len(kept))
    stage.metrics(
        prefilter=digest_of(prefilter),
        dropped=counts,
        by_topic=kept["topic"].value_counts().to_dict(),
        near_duplicate_groups=int((kept["duplicate_group"].value_counts() > 1).sum()),
    )


if __name__ == "__main__":
    run_stage(main)
