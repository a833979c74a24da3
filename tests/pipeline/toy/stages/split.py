"""
Train, validation and test, alike in species.

    dvc repro split@toy
"""

from winnow.curate.leakage import check_no_leakage
from winnow.curate.splits import split_rows
from winnow.domains.toy.params import Common, Split
from winnow.domains.toy.tables import Labels, Splits
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Split]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    val, test = stage.params.val_share, stage.params.test_share
    shares = {"train": 1 - val - test, "val": val, "test": test}
    side = split_rows(labels["label"].astype("str"), labels["flower"], shares, stage.rng())
    check_no_leakage(side, labels[["flower"]])
    stage.write("splits.parquet", labels[["flower"]].assign(split=side), Splits)
    stage.account(len(labels), **{name: int((side == name).sum()) for name in shares})


if __name__ == "__main__":
    run_stage(main)
