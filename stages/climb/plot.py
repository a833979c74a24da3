"""
Draw the loss curves, the holds and moves of real and generated routes, and generated routes.

    dvc repro plot@climb
"""

import pandas as pd

from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common, Plot
from winnow.domains.climb.tables import HoldUsage, Judged, JudgedHolds, MoveDistances, MoveShares
from winnow.domains.climb.view.boards import DrawnRoute, sheet_of_boards
from winnow.domains.climb.view.heatmap import hold_heatmap
from winnow.domains.climb.view.losses import grade_curves, loss_curves, quality_curves, sample_curves
from winnow.domains.climb.view.moves import move_distributions
from winnow.pipeline.stage import Stage, run_stage
from winnow.show.curves import read_curves
from winnow.show.figures import save_png


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
    figures = {
        "loss": loss_curves(curves),
        "loss_by_grade": grade_curves(curves),
        "loss_by_quality": quality_curves(curves),
        "generated_while_training": sample_curves(curves),
        "hold_heatmap": hold_heatmap(usage),
        "moves": move_distributions(moves, distances),
        "generated_routes": sheet_of_boards(routes, stage.params.sheet_columns),
    }
    for name, figure in figures.items():
        save_png(figure, stage.output(f"{name}.png"), stage.params.dpi)


if __name__ == "__main__":
    run_stage(main)
