"""The training in figures, as a text file."""

from typing import Any

import pandas as pd

SHOWN = ("train/loss", "train/mae", "train/rmse", "val/loss", "val/mae", "val/rmse")
PREFIX = "val/dimension_mae/"


def training_summary(curves: pd.DataFrame, dimensions: pd.DataFrame) -> str:
    """A line per epoch, and the final errors per dimension (a `PerDimension` table: on test articles)."""
    table = curves.pivot_table(index="step", columns="metric", values="value")
    lowest: Any = table["val/mae"].idxmin()
    lines = ["Training summary", "", "epoch" + "".join(f"{name:>13}" for name in SHOWN)]
    for step, row in table.iterrows():
        figures = "".join(f"{row[name]:>13.4f}" for name in SHOWN)
        lines.append(f"{step!s:>5}{figures}{'  lowest val/mae' if step == lowest else ''}")
    lines += ["", f"{'dimension':<28}{'val MAE (lowest)':>22}{'test MAE':>10}{'test RMSE':>11} {'skill':>8}"]
    chosen = table.loc[lowest]
    for each in dimensions.to_dict("records"):
        skill = "constant" if pd.isna(each["skill"]) else f"{each['skill']:.3f}"
        figures = f"{each['mae']:>10.4f}{each['rmse']:>11.4f} {skill:>8}"
        lines.append(f"{each['dimension']:<28}{chosen[PREFIX + str(each['dimension'])]:>22.4f}{figures}")
    return "\n".join(lines) + "\n"
