"""
Split images, stratified by class; copies of a page and pages of a document stay together.

    dvc repro split@documents
"""

from winnow.curate.split_names import SPLITS
from winnow.curate.splits import split_counts
from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Split
from winnow.domains.documents.rules.splits import split_images
from winnow.domains.documents.tables import Labels, Splits
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Split]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = split_images(labels, stage.params, stage.rng())
    stage.write("splits.parquet", splits, Splits)
    by_split = splits["split"].value_counts()
    stage.account(len(labels), **{split: int(by_split.get(split, 0)) for split in SPLITS})
    counts = split_counts(labels["label"].map(dict(enumerate(definitions.CLASSES))), splits["split"])
    missing = {split: [name for name in counts if not counts[name].get(split)] for split in SPLITS}
    stage.metrics(
        by_class=counts,
        documents={split: int(splits.loc[splits["split"] == split, "document"].nunique()) for split in SPLITS},
        classes_missing={split: names for split, names in missing.items() if names},
    )


if __name__ == "__main__":
    run_stage(main)
