"""
Label each photograph: its grade, whether the patient is to be referred, and whose eye it shows.

    dvc repro label@retina
"""

from winnow.domains.retina import definitions
from winnow.domains.retina.params import Common, Label
from winnow.domains.retina.rules.labels import (
    ONE_EACH,
    eyes_agreement,
    label_photographs,
    sources_of_single_photographs,
)
from winnow.domains.retina.tables import Kept, Labels, QualityLimits, Ungraded
from winnow.pipeline.console import say
from winnow.pipeline.errors import TableError
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    photos = stage.read("filter/photos.parquet", Kept)
    labels, ungraded = label_photographs(photos, stage.params.neighbour_distance)
    if labels.empty:
        raise TableError("no photograph has a grade from 0 to 4", fix="check the grades of retina.ingest.sources")
    alone = sources_of_single_photographs(labels)
    warnings = [ONE_EACH.format(sources=", ".join(alone))] if alone else []
    say(*warnings)
    stage.write("labels.parquet", labels, Labels)
    stage.write("limits.parquet", stage.read("filter/limits.parquet", QualityLimits), QualityLimits)  # for train
    stage.write("rejected.parquet", ungraded, Ungraded)
    stage.account(len(photos), labelled=len(labels), rejected=len(ungraded))
    stage.metrics(
        by_grade=definitions.grade_counts(labels["grade"].to_numpy()),
        referable=int(labels["referable"].sum()),
        patients=int(labels["patient"].nunique()),
        both_eyes=eyes_agreement(labels),
        rejected_for=ungraded["reason"].value_counts().to_dict(),
        warnings=[line for text in warnings for line in text.splitlines()],
    )


if __name__ == "__main__":
    run_stage(main)
