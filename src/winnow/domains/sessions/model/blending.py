"""The weight of a linear recommender added to the network: the one that finds most validation songs."""

import numpy as np

from winnow.domains.sessions import definitions
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.training import VALIDATION_BLOCK, TrainingData
from winnow.domains.sessions.params import Train
from winnow.recommend.baselines import ItemKNN
from winnow.recommend.chances import Chances, fit_chances
from winnow.recommend.filters import Blend, GraphFilter, blended, fit_graph_filter
from winnow.recommend.graph import matrix_of
from winnow.recommend.ranking import dot_scorer, rank_by, rank_metrics

CHANCES_AT = 100
"""Places of the validation lists to which chances are fitted."""


def choose_blend(model: GraphRecommender, data: TrainingData, params: Train, seed: int) -> Blend | None:
    """The filter or item-kNN of the training graph with the weight that is best on validation, the first of equal ones.

    None when that is 0. A single weight is taken as it is. Called without gradients.
    """
    network = params.network
    if network.filter_weight == [0.0]:
        return None
    train = matrix_of(data.graph)
    if network.blend_with == "item_knn":
        fitted: GraphFilter | ItemKNN = ItemKNN(
            train, network.knn_neighbours, network.knn_shrink, network.knn_asymmetry
        )
    else:
        fitted = fit_graph_filter(
            train,
            factors=network.filter_factors,
            alpha=network.filter_alpha,
            sharpening=network.filter_sharpening,
            seed=seed,
        )
    blends = [Blend(fitted, weight) for weight in network.filter_weight]
    if len(blends) == 1:
        return blends[0]
    alone = dot_scorer(*model(data.graph, data.types))
    found = []
    for blend in blends:
        ranked = rank_by(
            blended(alone, blend, train), data.val, places=max(definitions.CUTOFFS), block=VALIDATION_BLOCK
        )
        found.append(rank_metrics(ranked, definitions.CUTOFFS)[params.early_stopping.metric].mean())
    best = blends[int(np.argmax(found))]
    return best if best.weight > 0 else None


def chances_of(model: GraphRecommender, data: TrainingData, blend: Blend | None, params: Train) -> Chances | None:
    """What the blended scores mean, by the validation users; None where the model learned from their songs."""
    if params.mode == "simple":
        return None
    scorer = blended(dot_scorer(*model(data.graph, data.types)), blend, matrix_of(data.graph))
    return fit_chances(rank_by(scorer, data.val, places=CHANCES_AT, block=VALIDATION_BLOCK))
