"""
Draw training curves, recall beside the baselines, recall by user, and popularity bias; write the page.

    dvc repro plot@sessions
"""

from winnow.domains.sessions import definitions
from winnow.domains.sessions.params import Common, Plot
from winnow.domains.sessions.tables import Ranked, Reasons
from winnow.domains.sessions.view.comparison import recall_at_cutoffs, recall_by_user
from winnow.domains.sessions.view.examples import recommended
from winnow.pipeline.stage import Stage, run_stage
from winnow.recommend.charts import BIAS, LISTS, RECALL, learning_curves, popularity_bias
from winnow.recommend.tables import Exposure
from winnow.show.curves import read_curves
from winnow.show.page import Picture, draw


def main(stage: Stage[Common, Plot]) -> None:
    ranked = stage.read("evaluate/ranked.parquet", Ranked)
    exposure = stage.read("evaluate/exposure.parquet", Exposure)
    draw(
        stage,
        training={
            "learning_curves": Picture(
                learning_curves(read_curves(stage.curves / "plots" / "metrics"), "songs", (10, 20)),
                "Loss and validation ranking by epoch. NDCG also counts how high a song stands.",
            ),
        },
        results={
            "recall": Picture(recall_at_cutoffs(ranked), RECALL.format("songs")),
            "recall_by_user": Picture(
                recall_by_user(ranked),
                "Recall of the model and its best baseline by kind of user. Lines are 95% intervals.",
            ),
            "popularity_bias": Picture(
                popularity_bias(exposure, "songs", "users", definitions.LIST_LENGTH), BIAS.format("songs")
            ),
        },
        examples=recommended(stage.read("evaluate/reasons.parquet", Reasons), stage.params.explained_shown),
        about=LISTS.format("Songs that are recommended to some test users"),
    )


if __name__ == "__main__":
    run_stage(main)
