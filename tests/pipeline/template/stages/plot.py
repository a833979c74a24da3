"""
Draw predictions and errors; write the page.

    dvc repro plot@toy
"""

from winnow.domains.toy.params import Common, Plot
from winnow.domains.toy.tables import Predictions
from winnow.domains.toy.view.errors import error_by_group, scatter
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.page import Picture, draw


def main(stage: Stage[Common, Plot]) -> None:
    predictions = stage.read("evaluate/predictions.parquet", Predictions)
    draw(
        stage,
        training={},
        results={
            "predictions": Picture(
                scatter(predictions), "Predictions over true values. On the dashed line both are equal."
            ),
            "error_by_group": Picture(
                error_by_group(predictions), "The groups with the largest errors. n is their rows."
            ),
        },
    )


if __name__ == "__main__":
    run_stage(main)
