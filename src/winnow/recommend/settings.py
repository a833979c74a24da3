"""The settings of the recommenders' baselines that several domains share. Loads no torch."""

from typing import Annotated, Literal

from pydantic import Field

from winnow.pipeline.section import Float, Section

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[Float, Field(gt=0)]
NotNegative = Annotated[Float, Field(ge=0, le=1e6)]
"""Scores are multiplied by some of these: beyond the bound they would be infinite in single precision."""
Share = Annotated[Float, Field(ge=0, le=1)]


Convolution = Literal["own", "GATConv", "GATv2Conv", "TransformerConv", "SAGEConv", "LGConv"]
"""`own` is the domain's attention by its own kernels; the others are `torch_geometric.nn`'s."""


class Baselines(Section):
    """The baseline recommenders; each is tuned on validation over its lists of settings."""

    knn_neighbours: list[Count] = Field(min_length=1, description="item-kNN: neighbours of an item")
    knn_shrink: list[NotNegative] = Field(min_length=1, description="item-kNN: added to a similarity's denominator")
    ease_l2: list[Positive] = Field(min_length=1, description="EASE: ridge penalty")
    als_factors: list[Count] = Field(min_length=1, description="ALS: factors")
    als_regularisation: list[Positive] = Field(min_length=1, description="ALS: ridge penalty")
    als_alpha: list[NotNegative] = Field(min_length=1, description="ALS: confidence of a positive is 1 + this")
    als_iterations: int = Field(ge=1, le=100, description="ALS: alternations")
    filter_factors: list[Count] = Field(min_length=1, description="graph filter: frequencies of the low-pass filter")
    filter_alphas: list[NotNegative] = Field(min_length=1, description="graph filter: weight of the low-pass filter")
    filter_sharpenings: list[NotNegative] = Field(
        min_length=1, description="graph filter: how long it is sharpened afterwards (0: GF-CF; 2.5: BSPM)"
    )


class GraphBaselines(Baselines):
    """With item-kNN's weighting of popular items and active users, and LightGCN, which takes longer."""

    knn_asymmetry: list[Share] = Field(
        min_length=1, description="item-kNN: 0.5 is the cosine; the less, the more popular items come first"
    )
    knn_user_exponents: list[NotNegative] = Field(
        min_length=1, description="item-kNN: a user of n items counts n^-this; 0 takes all alike"
    )

    lightgcn_dims: list[Count] = Field(description="LightGCN (torch_geometric): sizes; empty = it is left out")
    lightgcn_epochs: int = Field(ge=1, le=10_000, description="LightGCN: epochs; the best by validation counts")
    lightgcn_learning_rate: Float = Field(gt=0, description="LightGCN: Adam's learning rate")
