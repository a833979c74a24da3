"""
Keep the valid routes and mark the subsets they belong to; record why the others are dropped.

    dvc repro filter@climb
"""

from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common, Filter
from winnow.domains.climb.rules.keep import keep_routes, mark_subsets
from winnow.domains.climb.tables import Dropped, Holds, Kept, Routes
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Filter]) -> None:
    routes = stage.read("ingest/routes.parquet", Routes)
    holds = stage.read("ingest/holds.parquet", Holds)
    kept, dropped, counts = keep_routes(routes, holds, stage.common)
    kept = mark_subsets(kept, stage.params.min_repeats)
    stage.write("routes.parquet", kept, Kept)
    stage.write("dropped.parquet", dropped, Dropped)
    stage.account(len(routes), kept=len(kept), dropped=len(dropped))
    stage.metrics(dropped=counts, subsets={name: int(kept[f"in_{name}"].sum()) for name in definitions.SUBSETS})


if __name__ == "__main__":
    run_stage(main)
