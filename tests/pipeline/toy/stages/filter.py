"""
Drop flowers that are too long to be believed.

    dvc repro filter@toy
"""

from winnow.curate.filters import apply_rules, dropped_rows
from winnow.domains.toy.params import Common, Filter
from winnow.domains.toy.rules.length import too_long
from winnow.domains.toy.tables import Dropped, Flowers
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Filter]) -> None:
    flowers = stage.read("ingest/flowers.parquet", Flowers)
    reason = apply_rules(flowers, [too_long(stage.params.max_length)])
    kept, dropped = flowers[reason.isna()], dropped_rows(flowers["flower"], reason)
    stage.write("flowers.parquet", kept, Flowers)
    stage.write("dropped.parquet", dropped, Dropped)
    stage.account(len(flowers), kept=len(kept), dropped=len(dropped))


if __name__ == "__main__":
    run_stage(main)
