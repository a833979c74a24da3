"""The recommender that knows the synthetic generator's truth: no model can be expected to do better."""

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from winnow.recommend.ranking import Scorer


def truth_scorer(tastes: pd.DataFrame, scenes: pd.DataFrame, users: pd.DataFrame, songs: pd.DataFrame) -> Scorer:
    """Scores by the probability that a play of the user is of the song: Σ over scenes of taste · P(song | scene)."""
    user = tastes["user"].map(users.set_index("user")["user_index"])
    song = scenes["song"].map(songs.set_index("song")["song_index"])
    count = int(scenes["scene"].max()) + 1
    mine, there = user.notna().to_numpy(), song.notna().to_numpy()
    taste = _matrix(user[mine], tastes.loc[mine, "scene"], tastes.loc[mine, "probability"], (len(users), count))
    within = _matrix(scenes.loc[there, "scene"], song[there], scenes.loc[there, "probability"], (count, len(songs)))
    return lambda numbers: torch.from_numpy((taste[numbers] @ within).toarray().astype(np.float32))


def _matrix(rows: pd.Series, columns: pd.Series, values: pd.Series, shape: tuple[int, int]) -> sparse.csr_matrix:
    places = rows.to_numpy(dtype=np.int64), columns.to_numpy(dtype=np.int64)
    return sparse.csr_matrix((values.to_numpy(dtype=np.float64), places), shape=shape)
