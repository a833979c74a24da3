"""
Draw errors and losses by epoch, and write the training summary.

    dvc repro plot@articles
"""

from winnow.domains.articles.params import Common, Plot
from winnow.domains.articles.tables import PerDimension
from winnow.domains.articles.view.curves import loss_curves, overall_metrics, per_dimension_mae
from winnow.domains.articles.view.summary import training_summary
from winnow.pipeline.files import write_text
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.curves import read_curves
from winnow.show.figures import save_png


def main(stage: Stage[Common, Plot]) -> None:
    curves = read_curves(stage.curves / "plots" / "metrics")
    dimensions = stage.read("evaluate/per_dimension.parquet", PerDimension)
    figures = {
        "overall_metrics": overall_metrics(curves),
        "per_dimension_mae": per_dimension_mae(curves),
        "loss_curves": loss_curves(curves),
    }
    for name, figure in figures.items():
        save_png(figure, stage.output(f"{name}.png"), stage.params.dpi)
    write_text(stage.output("training_summary.txt"), training_summary(curves, dimensions))


if __name__ == "__main__":
    run_stage(main)
