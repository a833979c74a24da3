"""
Draw training curves, recall beside the baselines, recall by user, popularity bias and explained recommendations.

    dvc repro plot@sessions
"""

from winnow.domains.sessions import definitions
from winnow.domains.sessions.params import Common, Plot
from winnow.domains.sessions.tables import Ranked, Reasons
from winnow.domains.sessions.view.comparison import recall_at_cutoffs, recall_by_user
from winnow.domains.sessions.view.reasons import explained_sheet
from winnow.pipeline.stage import Stage, run_stage
from winnow.recommend.charts import learning_curves, popularity_bias
from winnow.recommend.tables import Exposure
from winnow.show.curves import read_curves
from winnow.show.figures import save_png


def main(stage: Stage[Common, Plot]) -> None:
    ranked = stage.read("evaluate/ranked.parquet", Ranked)
    exposure = stage.read("evaluate/exposure.parquet", Exposure)
    figures = {
        "learning_curves": learning_curves(read_curves(stage.curves / "plots" / "metrics"), "songs", (10, 20)),
        "recall": recall_at_cutoffs(ranked),
        "recall_by_user": recall_by_user(ranked),
        "popularity_bias": popularity_bias(exposure, "songs", "users", definitions.LIST_LENGTH),
        "explanations": explained_sheet(stage.read("evaluate/reasons.parquet", Reasons), stage.params.explained_shown),
    }
    for name, figure in figures.items():
        save_png(figure, stage.output(f"{name}.png"), stage.params.dpi)


if __name__ == "__main__":
    run_stage(main)
