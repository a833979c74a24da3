"""
Draw training curves, recall beside the baselines and by playlist length, popularity bias, and completed playlists.

    dvc repro plot@playlists
"""

from winnow.domains.playlists import definitions
from winnow.domains.playlists.params import Common, Plot
from winnow.domains.playlists.tables import Completed, Ranked
from winnow.domains.playlists.view.comparison import recall_at_cutoffs, recall_by_length
from winnow.domains.playlists.view.completed import completed_sheet
from winnow.pipeline.stage import Stage, run_stage
from winnow.recommend.charts import learning_curves, popularity_bias
from winnow.recommend.tables import Exposure
from winnow.show.curves import read_curves
from winnow.show.figures import save_png


def main(stage: Stage[Common, Plot]) -> None:
    ranked = stage.read("evaluate/ranked.parquet", Ranked)
    exposure = stage.read("evaluate/exposure.parquet", Exposure)
    completed = stage.read("evaluate/completed.parquet", Completed)
    curves = read_curves(stage.curves / "plots" / "metrics")
    figures = {
        "learning_curves": learning_curves(curves, "tracks", definitions.CUTOFFS[:2]),
        "recall": recall_at_cutoffs(ranked),
        "recall_by_length": recall_by_length(ranked),
        "popularity_bias": popularity_bias(exposure, "tracks", "playlists", definitions.LIST_LENGTH),
        "completed": completed_sheet(completed, stage.params.completed_shown),
    }
    for name, figure in figures.items():
        save_png(figure, stage.output(f"{name}.png"), stage.params.dpi)


if __name__ == "__main__":
    run_stage(main)
