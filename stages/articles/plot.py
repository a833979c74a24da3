"""
Draw errors by epoch and on test articles, beside the baselines, and write the training summary and the page.

    dvc repro plot@articles
"""

from winnow.domains.articles.params import Common, Plot
from winnow.domains.articles.tables import BaselinePredictions, PerDimension, Predictions, Worst
from winnow.domains.articles.view.curves import loss_curves, overall_metrics, per_dimension_mae
from winnow.domains.articles.view.scores import error_by_dimension, scores, worst_articles
from winnow.domains.articles.view.summary import training_summary
from winnow.pipeline.files import write_text
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.curves import read_curves
from winnow.show.page import Picture, draw


def main(stage: Stage[Common, Plot]) -> None:
    curves = read_curves(stage.curves / "plots" / "metrics")
    dimensions = stage.read("evaluate/per_dimension.parquet", PerDimension)
    predictions = stage.read("evaluate/predictions.parquet", Predictions)
    baselines = stage.read("evaluate/baseline_predictions.parquet", BaselinePredictions)
    test = predictions[predictions["split"] == "test"]
    draw(
        stage,
        training={
            "overall_metrics": Picture(
                overall_metrics(curves),
                "Errors by epoch. In points of the scale; the weights are those of the best epoch.",
            ),
            "per_dimension_mae": Picture(
                per_dimension_mae(curves), "Validation error of each dimension by epoch. A line a dimension."
            ),
            "loss_curves": Picture(
                loss_curves(curves), "Loss by epoch. Training falls below validation as it overfits."
            ),
        },
        results={
            "test_errors": Picture(
                error_by_dimension(test, baselines),
                "Error of the model and the baselines on test articles. Lower is better; bars are 95% intervals of the "
                "mean. `mean` always answers the training articles' mean, `tfidf_ridge` is ridge regression on words.",
            ),
            "test_scores": Picture(
                scores(test), "Scores of the model over those of the labels. On the dashed line both are equal."
            ),
        },
        examples=worst_articles(stage.read("evaluate/worst.parquet", Worst), test),
        about="The test articles that are scored worst, in points of the scale.",
    )
    write_text(stage.output("training_summary.txt"), training_summary(curves, dimensions))


if __name__ == "__main__":
    run_stage(main)
