"""
Split images, stratified by class; copies of a page and pages of a document stay together.

    dvc repro split@documents
"""

from winnow.curate.sides import SIDES
from winnow.curate.splits import side_counts
from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Split
from winnow.domains.documents.rules.sides import split_images
from winnow.domains.documents.tables import Labels, Splits
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Split]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = split_images(labels, stage.params, stage.rng())
    stage.write("splits.parquet", splits, Splits)
    sides = splits["split"].value_counts()
    stage.account(len(labels), **{side: int(sides.get(side, 0)) for side in SIDES})
    counts = side_counts(labels["label"].map(dict(enumerate(definitions.CLASSES))), splits["split"])
    missing = {side: [name for name in counts if not counts[name].get(side)] for side in SIDES}
    stage.metrics(
        by_class=counts,
        documents={side: int(splits.loc[splits["split"] == side, "document"].nunique()) for side in SIDES},
        classes_missing={side: names for side, names in missing.items() if names},
    )


if __name__ == "__main__":
    run_stage(main)
