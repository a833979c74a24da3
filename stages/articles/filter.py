"""
Drop what is not worth a label by the filter's prefilter, and find articles that say the same.

    dvc repro filter@articles
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from winnow.curate.filters import check_not_empty, dropped_rows
from winnow.domains.articles.definitions import Prefilter, article_text
from winnow.domains.articles.params import Common, Filter
from winnow.domains.articles.rules.duplicates import near_duplicate_groups
from winnow.domains.articles.rules.prefilter import RULES, Sieve, digest_of
from winnow.domains.articles.source.filters import read_filter
from winnow.domains.articles.tables import Dropped, Kept
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import parquet_batches

SOURCE_FILES = ["filters/*/v*/prefilter.yaml"]
BATCH_ROWS = 4096
READ = ["article_id", "title", "content", "source", "published", "language"]


def sift_articles(path: Path, prefilter: Prefilter) -> pd.DataFrame:
    """The first broken rule (missing where none is), topic, words and digest of each article, a batch at a time."""
    sieve = Sieve(prefilter)
    columns = {"article_id": "str", "rule": "str", "topic": "str", "words": "int64", "digest": "str"}
    parts = [pd.DataFrame(columns=list(columns)).astype(columns)]
    for batch in parquet_batches(path, rows=BATCH_ROWS, columns=READ):
        fields = zip(*(batch.column(column).to_pylist() for column in READ), strict=True)
        rows = [(name, *sieve.sift(*each)) for name, *each in fields]
        parts.append(pd.DataFrame(rows, columns=list(columns)).astype(columns))
    return pd.concat(parts, ignore_index=True)


def texts_of(path: Path, wanted: set[str]) -> Iterator[str]:
    """The texts of these articles, in the file's order, a batch at a time."""
    columns = ["article_id", "title", "content"]
    for batch in parquet_batches(path, rows=BATCH_ROWS, columns=columns):
        for name, title, content in zip(*(batch.column(column).to_pylist() for column in columns), strict=True):
            if name in wanted:
                yield article_text(title, content)


def mark_duplicates(sifted: pd.DataFrame, path: Path, params: Filter) -> pd.DataFrame:
    """The table with the column duplicate_group, and with the rules `duplicate` and `near_duplicate`.

    `sifted` has the articles of the file in its order. Of those that say the same, the one with the smallest article_id
    stays.
    """
    exact = sifted["rule"].isna() & sifted.duplicated("digest")
    sifted = sifted.assign(rule=sifted["rule"].mask(exact, "duplicate"))
    if params.duplicates == "exact":
        return sifted.assign(duplicate_group=sifted["article_id"])
    kept = sifted.loc[sifted["rule"].isna(), "article_id"].tolist()
    texts = texts_of(path, set(kept))
    groups = near_duplicate_groups(kept, texts, similarity=params.near_duplicate, permutations=params.permutations)
    sifted = sifted.assign(duplicate_group=sifted["article_id"].map(groups))
    if params.duplicates == "drop":
        near = sifted["rule"].isna() & (sifted["duplicate_group"] != sifted["article_id"])
        sifted["rule"] = sifted["rule"].mask(near, "near_duplicate")
    return sifted


def main(stage: Stage[Common, Filter]) -> None:
    path = stage.input("ingest/articles.parquet")
    prefilter = read_filter(stage.common.definition).prefilter
    sifted = sift_articles(path, prefilter)
    sifted = mark_duplicates(sifted, path, stage.params)
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
