"""A small network that the tests of sessions share, for the graph of the tests of recommenders."""

import torch

from tests.library.recommend.small import ITEMS, USERS
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.recommend.settings import Convolution


def network(
    *,
    genres: int = 0,
    learned: bool = True,
    layers: int = 2,
    embeddings: int = ITEMS,
    seed: int = 1,
    convolution: Convolution = "own",
) -> GraphRecommender:
    """A network without zeros in its parameters."""
    torch.manual_seed(seed)
    model = GraphRecommender(
        songs=ITEMS, embeddings=embeddings, genres=genres, embedding_dim=8, heads=2, layers=layers,
        learned_attention=learned, temperature=0.5, dropout=0.0, genre_weight=0.3, splits=["train"],
        convolution=convolution,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
        if genres:
            model.genre_share.copy_(torch.nn.functional.one_hot(torch.arange(ITEMS) % genres, genres).float())
    return model.eval()


def types() -> torch.Tensor:
    return torch.arange(USERS) % 3
