"""
What is to be predicted.

    dvc repro label@toy
"""

from winnow.domains.toy.params import Common, Label
from winnow.domains.toy.tables import Labels, Rows
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    rows = stage.read("filter/rows.parquet", Rows)
    stage.write("labels.parquet", rows[["row_id", "target"]], Labels)
    stage.account(len(rows), labelled=len(rows))


if __name__ == "__main__":
    run_stage(main)
