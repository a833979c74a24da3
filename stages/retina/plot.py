"""
Draw metrics by grade, training curves, and heat maps of explained cases.

    dvc repro plot@retina
"""

from winnow.domains.retina.params import Common, Plot
from winnow.domains.retina.tables import Explained, PerClass, Predictions, Rocs
from winnow.domains.retina.view.cases import case_sheet
from winnow.domains.retina.view.curves import f1_curves, loss_curves
from winnow.domains.retina.view.figures import LABELS, f1_bars, roc_curves
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
    figures = {
        "confusion_matrix": confusion_matrix(test["grade"], test["predicted"], LABELS, of="grade", rows="photographs"),
        "roc": roc_curves(stage.read("evaluate/rocs.parquet", Rocs)),
        "f1": f1_bars(stage.read("evaluate/per_class.parquet", PerClass)),
        "reliability": reliability_diagram(stage.read("evaluate/reliability.parquet", Reliability), of="grade"),
        "cases": case_sheet(stage.read("evaluate/explained.parquet", Explained), stage.params.sheet_columns),
        "loss": loss_curves(curves),
        "f1_by_epoch": f1_curves(curves),
    }
    for name, figure in figures.items():
        save_png(figure, stage.output(f"{name}.png"), stage.params.dpi)


if __name__ == "__main__":
    run_stage(main)
