"""
Degrade each clean page several times with known severities, which give its score, class and issues; measure all.

    dvc repro label@documents
"""

from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Label
from winnow.domains.documents.rules.classes import class_counts
from winnow.domains.documents.rules.labels import make_images
from winnow.domains.documents.tables import GivenSeverities, Labels, Measures, Pages, Repetition, Severities
from winnow.images.store import read_images, write_images
from winnow.pipeline.errors import TableError
from winnow.pipeline.parallel import workers
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    pages = stage.read("filter/pages.parquet", Pages)
    clean = pages["source"] != definitions.LABELLED
    if not (clean | pages["score"].notna() | pages["label"].notna()).any():
        raise TableError("no page has a score or a class", fix="give some of documents.ingest.sources one of them")
    images = read_images(stage.input("ingest/images.arrow")).select(pages["image_id"])
    repetition = stage.read("filter/repetition.parquet", Repetition)
    distance = int(repetition["max_hash_distance"].iloc[0])
    given = stage.read("ingest/severities.parquet", GivenSeverities)
    with workers(stage.runtime.cluster), write_images(stage.output("images.arrow")) as store:
        made = make_images(pages, images, given, stage.params, stage.common.flag_from, distance, stage.seed, store)
    stage.write("labels.parquet", made.labels, Labels)
    stage.write("severities.parquet", made.severities, Severities)
    stage.write("measures.parquet", made.measures, Measures)
    stage.write("repetition.parquet", repetition, Repetition)  # for train
    copies = int(clean.sum()) * (stage.params.copies - 1)  # more rows than came in
    stage.account(len(pages) + copies, labelled=len(made.labels))
    flagged = made.severities[made.severities["flagged"].eq(1).fillna(False)]
    stage.metrics(
        pages=len(pages),
        by_class=class_counts(made.labels["label"]),
        by_issue=flagged["issue"].value_counts().to_dict(),
        mean_score=float(made.labels["score"].mean()),
    )


if __name__ == "__main__":
    run_stage(main)
