"""
Read CSV files, or make the embedded data.

    dvc repro ingest@toy
"""

import pandas as pd

from winnow.curate.rejected import check_rejected_share, rejected_rows
from winnow.curate.tables import Rejected
from winnow.domains.toy.params import Common, Ingest
from winnow.domains.toy.source import csv, synthetic
from winnow.domains.toy.tables import Rows
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Ingest]) -> None:
    params = stage.params
    read = {source.path: csv.read(stage.source(source.path), params.columns) for source in params.sources}
    if not read:
        made = synthetic.make(params.groups, params.columns.features, stage.rng())
        read = {"synthetic": (made, csv.NONE_REJECTED)}
    rejected = rejected_rows((path, unusable) for path, (_, unusable) in read.items())
    rows = pd.concat([usable for usable, _ in read.values()])
    check_rejected_share(rejected, len(rows) + len(rejected), params.max_rejected_share, domain=stage.domain)
    stage.write("rows.parquet", rows, Rows)
    stage.write("rejected.parquet", rejected, Rejected)
    stage.account(len(rows) + len(rejected), kept=len(rows), rejected=len(rejected))


if __name__ == "__main__":
    run_stage(main)
