"""
Drop rows whose target cannot be believed.

    dvc repro filter@toy
"""

from winnow.curate.filters import apply_rules, check_not_empty, dropped_rows, rule_counts
from winnow.domains.toy.params import Common, Filter
from winnow.domains.toy.rules.target import too_large, too_small
from winnow.domains.toy.tables import Dropped, Rows
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Filter]) -> None:
    rows = stage.read("ingest/rows.parquet", Rows)
    rules = [too_small(stage.params.min_target), too_large(stage.params.max_target)]
    reason = apply_rules(rows, rules)
    kept, counts = rows[reason.isna()], rule_counts(reason, rules)
    check_not_empty(kept, counts, fix="toy.filter in params.yaml holds the limits")
    stage.write("rows.parquet", kept, Rows)
    stage.write("dropped.parquet", dropped_rows(rows["row_id"], reason), Dropped)
    stage.account(len(rows), kept=len(kept), dropped=len(rows) - len(kept))
    stage.metrics(dropped_for=counts)


if __name__ == "__main__":
    run_stage(main)
