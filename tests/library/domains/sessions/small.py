"""A small graph and network that the tests share."""

import numpy as np
import torch
from numpy.typing import NDArray

from winnow.domains.sessions.model.graph import Graph, build_graph
from winnow.domains.sessions.model.network import GraphRecommender

USERS, SONGS = 30, 40


def pairs(seed: int = 0, share: float = 0.3) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Random (users, songs), everybody with two songs or more."""
    known = np.random.default_rng(seed).random((USERS, SONGS)) < share
    known[:, :2] = True
    users, songs = np.nonzero(known)
    return users, songs


def graph(seed: int = 0) -> Graph:
    return build_graph(*pairs(seed), (USERS, SONGS))


def network(
    *, genres: int = 0, learned: bool = True, layers: int = 2, embeddings: int = SONGS, seed: int = 1
) -> GraphRecommender:
    """A network with something else than zeros everywhere."""
    torch.manual_seed(seed)
    model = GraphRecommender(
        songs=SONGS, embeddings=embeddings, genres=genres, embedding_dim=8, heads=2, layers=layers,
        learned_attention=learned, temperature=0.5, dropout=0.0, genre_weight=0.3, sides=["train"],
    )  # fmt: skip
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
        if genres:
            model.genre_share.copy_(torch.nn.functional.one_hot(torch.arange(SONGS) % genres, genres).float())
    return model.eval()


def types() -> torch.Tensor:
    return torch.arange(USERS) % 3
