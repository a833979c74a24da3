"""
Draw scores, classes, reliability, issues, the retake threshold, training curves, and the worst errors with heat maps;
write the page.

    dvc repro plot@documents
"""

from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Plot
from winnow.domains.documents.tables import Explained, PerIssue, Predictions, Thresholds
from winnow.domains.documents.view.curves import class_curves, loss_curves
from winnow.domains.documents.view.figures import issue_bars, scores, threshold_curves
from winnow.domains.documents.view.sheets import MEANING, error_examples, error_sheet
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
    explained = stage.read("evaluate/explained.parquet", Explained)
    confusion = confusion_matrix(test["true_label"], test["label"], definitions.CLASSES, of="class", rows="images")
    reliability = reliability_diagram(stage.read("evaluate/reliability.parquet", Reliability), of="class")
    draw(
        stage,
        training={
            "loss": Picture(loss_curves(curves), "Loss, error of the score and accuracies by epoch."),
            "class_accuracy": Picture(class_curves(curves), "Validation accuracy of each class by epoch."),
        },
        results={
            "scores": Picture(scores(test), "Predicted over true scores. On the dashed line both are equal."),
            "confusion_matrix": Picture(
                confusion, "True and predicted classes. Each row sums to 100%; the diagonal is right."
            ),
            "reliability": Picture(
                reliability,
                "How often a class predicted with some confidence is right. On the dashed line as often as said; the "
                "area of a point is its share of the images.",
            ),
            "issues": Picture(
                issue_bars(stage.read("evaluate/issues.parquet", PerIssue)),
                "How well each issue is found. n is the number of test images that have it.",
            ),
            "threshold": Picture(
                threshold_curves(stage.read("evaluate/thresholds.parquet", Thresholds)),
                "What each retake threshold would do on validation pages. The dashed line is the chosen one.",
            ),
        },
        sheets={"worst_errors": error_sheet(explained, stage.params.sheet_columns)},
        examples=error_examples(explained),
        about=f"The worst errors of the test. Right of each page the same under its heat map: yellow marks {MEANING}.",
    )


if __name__ == "__main__":
    run_stage(main)
