"""
Keep pages that can be read, that are not blank, and that no earlier page repeats.

    dvc repro filter@documents
"""

import pandas as pd

from winnow.curate.filters import apply_rules, check_not_empty, dropped_rows
from winnow.domains.documents.params import Common, Filter
from winnow.domains.documents.rules.pages import page_rules, repeated
from winnow.domains.documents.tables import Dropped, Pages
from winnow.pipeline.stage import Stage, run_stage


def keep_pages(pages: pd.DataFrame, params: Filter) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """`Pages` that stay, `Dropped`, and how many each rule dropped. Raises TableError when none is left."""
    rules = page_rules(params)
    reason = apply_rules(pages, rules)
    readable = pages[reason.isna()]
    again = repeated(readable, params.max_hash_distance)
    reason[again.index[again]] = "duplicate"
    counts = {name: int((reason == name).sum()) for name in (*(rule.name for rule in rules), "duplicate")}
    kept = pages[reason.isna()]
    check_not_empty(kept, counts, fix="loosen documents.filter, or name other documents.ingest.sources")
    return kept, dropped_rows(pages["image_id"], reason), counts


def main(stage: Stage[Common, Filter]) -> None:
    pages = stage.read("ingest/pages.parquet", Pages)
    kept, dropped, counts = keep_pages(pages, stage.params)
    stage.write("pages.parquet", kept, Pages)
    stage.write("dropped.parquet", dropped, Dropped)
    stage.account(len(pages), kept=len(kept), dropped=len(dropped))
    stage.metrics(dropped=counts)


if __name__ == "__main__":
    run_stage(main)
