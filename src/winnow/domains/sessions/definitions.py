"""What the words of listening mean, for every stage."""

USER_TYPES = ("casual", "regular", "power")
"""From few plays to many."""

SIDES = ("train", "val", "test", "cold_given", "cold_target")
"""Sides of the split. A cold-start user trains nothing: what is given of her is folded in, the rest is to be found."""

CUTOFFS = (5, 10, 20)
"""The K of Recall@K and NDCG@K."""

LIST_LENGTH = 10
"""Songs of a list that coverage, novelty and diversity look at."""

HISTORY_BINS = ("1-5", "6-10", "11-20", "21-50", "51+")
HISTORY_EDGES = (5, 10, 20, 50)
"""Songs a user is known by, up to and with which the first bins go."""
