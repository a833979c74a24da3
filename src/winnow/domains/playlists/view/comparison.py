"""Charts of the model and the baselines."""

import pandas as pd
from matplotlib.figure import Figure

from winnow.domains.playlists import definitions
from winnow.recommend.charts import recall_by_group, recall_chart


def recall_at_cutoffs(ranked: pd.DataFrame) -> Figure:
    """Mean Recall@K of every recommender, over all held-out tracks and over those that some training playlist has."""
    columns = [f"recall_at_{k}" for k in definitions.CUTOFFS]
    seen = ranked.drop(columns=columns).rename(columns={f"seen_{name}": name for name in columns})
    parts = {"All held-out tracks": ranked, "Tracks seen in training": seen.dropna(subset=columns)}
    return recall_chart(parts, definitions.CUTOFFS, "playlists")


def recall_by_length(ranked: pd.DataFrame) -> Figure:
    """Recall@10 of the model and of the best baseline, by the number of known tracks of a playlist."""
    groups = {"length": ("known tracks of the playlist", definitions.LENGTH_BINS)}
    return recall_by_group(ranked[ranked["recommender"] != "network"], groups, "playlists", k=10)
