"""Charts of the model and the baselines, by group of users."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.sessions import definitions
from winnow.recommend.charts import recall_by_group, recall_chart


def recall_at_cutoffs(ranked: pd.DataFrame) -> Figure:
    """Mean Recall@K of every recommender for trained users and, where there are any, for cold-start users."""
    parts = {"Known users": ranked[~ranked["cold"]], "Cold-start users": ranked[ranked["cold"]]}
    return recall_chart(parts, definitions.CUTOFFS, "users")


def recall_by_user(ranked: pd.DataFrame) -> Figure:
    """Recall@10 of the model and of the best baseline, by user type and by the number of the user's known songs."""
    groups = {
        "user_type": ("user type", definitions.USER_TYPES),
        "history": ("known songs of the user", definitions.HISTORY_BINS),
    }
    return recall_by_group(
        ranked[~ranked["cold"] & ~ranked["recommender"].isin(definitions.REFERENCES)], groups, "users", k=10
    )
