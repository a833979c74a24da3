"""
Draw metrics by grade, training curves, and heat maps of explained cases; write the page.

    dvc repro plot@retina
"""

from winnow.domains.retina.params import Common, Plot
from winnow.domains.retina.tables import Explained, PerClass, Predictions, Rocs
from winnow.domains.retina.view.cases import MEANING, case_examples, case_sheet, stored_size
from winnow.domains.retina.view.curves import f1_curves, loss_curves
from winnow.domains.retina.view.figures import LABELS, f1_bars, roc_curves
from winnow.domains.retina.view.notes import collapsed, never_predicted
from winnow.measure.calibration import Reliability
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.confusion import confusion_matrix
from winnow.show.curves import read_curves
from winnow.show.page import Picture, draw
from winnow.show.reliability import reliability_diagram


def main(stage: Stage[Common, Plot]) -> None:
    curves = read_curves(stage.curves / "plots" / "metrics")
    predictions = stage.read("evaluate/predictions.parquet", Predictions)
    test = predictions[predictions["split"] == "test"]
    confusion = confusion_matrix(test["grade"], test["predicted"], LABELS, of="grade", rows="photographs")
    reliability = reliability_diagram(stage.read("evaluate/reliability.parquet", Reliability), of="grade")
    cases = stage.read("evaluate/explained.parquet", Explained)
    draw(
        stage,
        training={
            "loss": Picture(loss_curves(curves), "Loss, and agreement on validation photographs, by epoch."),
            "f1_by_epoch": Picture(
                f1_curves(curves), "F1 of each grade by epoch, and how often photographs of it are drawn in training."
            ),
        },
        results={
            "confusion_matrix": Picture(
                confusion, "True and predicted grades. Each row sums to 100%; the diagonal is right."
            ),
            "roc": Picture(
                roc_curves(stage.read("evaluate/rocs.parquet", Rocs)),
                "Each grade against the rest. The dashed line is chance.",
            ),
            "f1": Picture(
                f1_bars(stage.read("evaluate/per_class.parquet", PerClass)),
                "F1 of each grade. The black lines are 95% intervals, n the test photographs of the grade.",
            ),
            "reliability": Picture(
                reliability,
                "How often a grade predicted with some confidence is right. On the dashed line as often as said; the "
                "area of a point is its share of the photographs.",
            ),
        },
        sheets={"cases": case_sheet(cases, stage.params.sheet_columns)},
        examples=case_examples(cases),
        about=f"Photographs as the network sees them, by retina.common.image_size whatever the files have: "
        f"{stored_size(cases)}. Some are graded rightly and some wrongly. Right of each its heat map: yellow marks "
        f"{MEANING}.",
        notes=[note for note in (collapsed(test), *never_predicted(test)) if note],
    )
    stage.conclude(collapsed(test))


if __name__ == "__main__":
    run_stage(main)
