"""What a model card says of a recommender of songs."""

from pathlib import Path

import pandas as pd

from winnow.learn.card import Description, plain_names


def _songs(folder: Path) -> list[str]:
    return plain_names(pd.read_parquet(folder / "songs.parquet")["title"])


CARD = Description(
    title="winnow sessions: recommended songs",
    task="From songs that somebody has listened to, to songs that they may like, with a chance and the reasons.",
    use="Recommendations for listeners of the catalogue of its training data.",
    limits=(
        "It knows the songs of its training data only, and nothing of how they sound.",
        "What was popular with the training users is recommended more often; look at novelty and diversity above.",
        "The folder holds which songs each user of the training data has played: publish it only if you may.",
    ),
    row="plays",
    synthetic="listeners with drawn tastes, and songs in genres",
    known=_songs,
    tags=("recommendation", "graph-neural-network"),
)
