"""
Draw the loss curves, the holds and moves of real and generated routes, and generated routes; write the page.

    dvc repro plot@climb
"""

import pandas as pd

from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common, Plot
from winnow.domains.climb.tables import HoldUsage, Judged, JudgedHolds, MoveDistances, MoveShares
from winnow.domains.climb.view.boards import DrawnRoute, sheet_of_boards
from winnow.domains.climb.view.examples import drawn_routes
from winnow.domains.climb.view.heatmap import hold_heatmap
from winnow.domains.climb.view.losses import grade_curves, loss_curves, quality_curves, sample_curves
from winnow.domains.climb.view.moves import move_distributions
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.curves import read_curves
from winnow.show.page import Picture, draw


def choose_routes(judged: pd.DataFrame, holds: pd.DataFrame, count: int) -> list[DrawnRoute]:
    """Up to `count` generated routes, evenly over the grades and easiest first, that break no rule."""
    made = judged[(judged["origin"] == "model") & judged["broken_rule"].isna()]
    made = made.assign(turn=made.groupby("grade").cumcount(), difficulty=made["grade"].map(definitions.GRADE_INDEX))
    chosen = made.sort_values(["turn", "difficulty"]).head(count).sort_values(["difficulty", "turn"])
    mine = holds[(holds["origin"] == "model") & holds["route_id"].isin(chosen["route_id"])]
    of_route = {
        str(name): list(zip(part["hold"], part["role"], strict=True)) for name, part in mine.groupby("route_id")
    }
    return [
        DrawnRoute(f"{row.grade} · {row.board} · {row.angle}°", str(row.board), of_route[str(row.route_id)])
        for row in chosen.itertuples()
    ]


def main(stage: Stage[Common, Plot]) -> None:
    curves = read_curves(stage.curves / "plots" / "metrics")
    judged = stage.read("evaluate/judged.parquet", Judged)
    holds = stage.read("evaluate/judged_holds.parquet", JudgedHolds)
    usage = stage.read("evaluate/hold_usage.parquet", HoldUsage)
    moves = stage.read("evaluate/move_shares.parquet", MoveShares)
    distances = stage.read("evaluate/move_distances.parquet", MoveDistances)
    routes = choose_routes(judged, holds, stage.params.routes_shown)
    draw(
        stage,
        training={
            "loss": Picture(loss_curves(curves), "Loss by epoch. In nats per token; lower is better."),
            "loss_by_grade": Picture(grade_curves(curves), "Validation loss of each grade by epoch."),
            "loss_by_quality": Picture(
                quality_curves(curves), "Validation loss by quality bin. The bins are by the repeats of a route."
            ),
            "generated_while_training": Picture(
                sample_curves(curves),
                "Routes generated after each epoch. The share that is valid, new and of its grade.",
            ),
        },
        results={
            "hold_heatmap": Picture(
                hold_heatmap(usage), "Holds that real and generated routes use. Bright holds are used often."
            ),
            "moves": Picture(
                move_distributions(moves, distances),
                "Moves of real and generated routes. Distances between holds, starts, finishes and the use of holds.",
            ),
        },
        sheets={"generated_routes": sheet_of_boards(routes, stage.params.sheet_columns)},
        examples=drawn_routes(routes),
        about="Generated routes, from easy to hard. Green rings are start holds, blue ones moves, red ones the top.",
    )


if __name__ == "__main__":
    run_stage(main)
