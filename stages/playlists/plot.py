"""
Draw training curves, recall beside the baselines and by playlist length, and popularity bias; write the page.

    dvc repro plot@playlists
"""

from winnow.domains.playlists import definitions
from winnow.domains.playlists.params import Common, Plot
from winnow.domains.playlists.tables import Completed, Ranked
from winnow.domains.playlists.view.comparison import recall_at_cutoffs, recall_by_length
from winnow.domains.playlists.view.examples import completed_playlists
from winnow.pipeline.stage import Stage, run_stage
from winnow.recommend.charts import BIAS, LISTS, RECALL, learning_curves, popularity_bias
from winnow.recommend.tables import Exposure
from winnow.show.curves import read_curves
from winnow.show.page import Picture, draw


def main(stage: Stage[Common, Plot]) -> None:
    ranked = stage.read("evaluate/ranked.parquet", Ranked)
    exposure = stage.read("evaluate/exposure.parquet", Exposure)
    completed = stage.read("evaluate/completed.parquet", Completed)
    curves = read_curves(stage.curves / "plots" / "metrics")
    bias = popularity_bias(exposure, "tracks", "playlists", definitions.LIST_LENGTH)
    draw(
        stage,
        training={
            "learning_curves": Picture(
                learning_curves(curves, "tracks", definitions.CUTOFFS[:2]),
                "Loss and validation ranking by epoch. NDCG also counts how high a track stands.",
            ),
        },
        results={
            "recall": Picture(recall_at_cutoffs(ranked), RECALL.format("tracks")),
            "recall_by_length": Picture(
                recall_by_length(ranked),
                "Recall of the model and its best baseline by length. Lines are 95% intervals.",
            ),
            "popularity_bias": Picture(bias, BIAS.format("tracks")),
        },
        examples=completed_playlists(completed, stage.params.completed_shown),
        about=LISTS.format("Tracks that are added to some test playlists"),
    )


if __name__ == "__main__":
    run_stage(main)
