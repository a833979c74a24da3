"""Recommendations to look at, with their reasons."""

import pandas as pd

from winnow.recommend.cards import list_table
from winnow.show.page import Example


def recommended(reasons: pd.DataFrame, users: int) -> list[Example]:
    """Up to `users` users with their lists, from a `Reasons` table."""
    shown = sorted(reasons["user"].unique())[:users]
    return [
        Example(
            f"User {user}",
            lines=[f"{part['user_type'].iloc[0]} listener"],
            table=list_table(part, "title", "played"),
        )
        for user, part in ((each, reasons[reasons["user"] == each]) for each in shown)
    ]
