"""
Degrade each clean page several times with known severities, which give its score, class and issues; measure all.

    dvc repro label@documents
"""

from winnow.domains.documents.params import Common, Label
from winnow.domains.documents.rules.classes import class_counts
from winnow.domains.documents.rules.labels import LABELLED, make_images, without_label
from winnow.domains.documents.tables import Labels, Measures, Pages, Repetition, Severities, Unlabelled
from winnow.images.store import read_images, write_images
from winnow.pipeline.errors import TableError
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    pages = stage.read("filter/pages.parquet", Pages)
    unlabelled = without_label(pages)
    usable = pages[~pages["image_id"].isin(unlabelled["image_id"])]
    if usable.empty:
        raise TableError("no page has a label", fix="give the labelled pages of documents.ingest.sources a score")
    images = read_images(stage.input("ingest/images.arrow")).select(usable["image_id"])
    with write_images(stage.output("images.arrow")) as store:
        made = make_images(usable, images, stage.params, stage.common.flag_from, stage.seed, store)
    stage.write("labels.parquet", made.labels, Labels)
    stage.write("severities.parquet", made.severities, Severities)
    stage.write("measures.parquet", made.measures, Measures)
    stage.write("rejected.parquet", unlabelled, Unlabelled)
    stage.write("repetition.parquet", stage.read("filter/repetition.parquet", Repetition), Repetition)  # for train
    clean = int((usable["source"] != LABELLED).sum())
    copies = clean * (stage.params.copies - 1)  # more rows than came in
    stage.account(len(pages) + copies, labelled=len(made.labels), rejected=len(unlabelled))
    flagged = made.severities[made.severities["flagged"].eq(1).fillna(False)]
    stage.metrics(
        pages=len(usable),
        by_class=class_counts(made.labels["label"]),
        by_issue=flagged["issue"].value_counts().to_dict(),
        mean_score=float(made.labels["score"].mean()),
    )


if __name__ == "__main__":
    run_stage(main)
