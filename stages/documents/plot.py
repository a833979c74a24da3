"""
Draw scores, classes, reliability, issues, the retake threshold, training curves, and the worst errors with heat maps.

    dvc repro plot@documents
"""

from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Plot
from winnow.domains.documents.tables import Explained, PerIssue, Predictions, Thresholds
from winnow.domains.documents.view.curves import class_curves, loss_curves
from winnow.domains.documents.view.figures import issue_bars, scores, threshold_curves
from winnow.domains.documents.view.sheets import error_sheet, heat_sheet
from winnow.measure.calibration import Reliability
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.confusion import confusion_matrix
from winnow.show.curves import read_curves
from winnow.show.figures import save_png
from winnow.show.reliability import reliability_diagram


def main(stage: Stage[Common, Plot]) -> None:
    curves = read_curves(stage.curves / "plots" / "metrics")
    predictions = stage.read("evaluate/predictions.parquet", Predictions)
    test = predictions[predictions["split"] == "test"]
    explained = stage.read("evaluate/explained.parquet", Explained)
    figures = {
        "loss": loss_curves(curves),
        "class_accuracy": class_curves(curves),
        "scores": scores(test),
        "confusion_matrix": confusion_matrix(
            test["true_label"], test["label"], definitions.CLASSES, of="class", rows="images"
        ),
        "reliability": reliability_diagram(stage.read("evaluate/reliability.parquet", Reliability), of="class"),
        "issues": issue_bars(stage.read("evaluate/issues.parquet", PerIssue)),
        "threshold": threshold_curves(stage.read("evaluate/thresholds.parquet", Thresholds)),
        "worst_errors": error_sheet(explained, stage.params.sheet_columns),
        "heat_maps": heat_sheet(explained, stage.params.sheet_columns),
    }
    for name, figure in figures.items():
        save_png(figure, stage.output(f"{name}.png"), stage.params.dpi)


if __name__ == "__main__":
    run_stage(main)
