"""
Draw predictions and errors.

    dvc repro plot@toy
"""

from winnow.domains.toy.params import Common, Plot
from winnow.domains.toy.tables import Predictions
from winnow.domains.toy.view.errors import error_by_group, scatter
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.figures import save_png


def main(stage: Stage[Common, Plot]) -> None:
    predictions = stage.read("evaluate/predictions.parquet", Predictions)
    save_png(scatter(predictions), stage.output("predictions.png"), stage.params.dpi)
    save_png(error_by_group(predictions), stage.output("error_by_group.png"), stage.params.dpi)


if __name__ == "__main__":
    run_stage(main)
