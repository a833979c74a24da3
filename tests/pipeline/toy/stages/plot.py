"""
Draw what was told rightly.

    dvc repro plot@toy
"""

from winnow.domains.toy.params import Common, Plot
from winnow.domains.toy.tables import Predictions
from winnow.domains.toy.view.scatter import scatter
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.figures import save_png


def main(stage: Stage[Common, Plot]) -> None:
    predictions = stage.read("evaluate/predictions.parquet", Predictions)
    save_png(scatter(predictions), stage.output("accuracy.png"), stage.params.dpi)


if __name__ == "__main__":
    run_stage(main)
