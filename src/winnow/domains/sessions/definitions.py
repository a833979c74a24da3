"""The terms of listening data, for every stage."""

from winnow.curate import split_names

USER_TYPES = ("casual", "regular", "power")
"""From few plays to many."""

UNKNOWN_TYPE = "unknown"
"""Of users without training plays: the network gives them the mean of the types."""

SPLITS = (*split_names.SPLITS, "cold_given", "cold_target")
"""Splits. A cold-start user is not trained on: their given songs are folded in, the others are to find."""

REFERENCES = ("network", "truth")
"""Recommenders that are no baselines: the network without its graph filter, and the generator's own probabilities."""

CUTOFFS = (5, 10, 20)
"""The K of Recall@K and NDCG@K."""

LIST_LENGTH = 10
"""Songs of a list by which coverage, novelty, diversity and exposure are measured."""

HISTORY_BINS = ("1-5", "6-10", "11-20", "21-50", "51+")
HISTORY_EDGES = (5, 10, 20, 50)
"""Numbers of known songs of a user at which the first bins end (inclusive)."""


def may_have_genres(form: str, column: str | int | None) -> bool:
    """Whether a source of this format, and an event log with this column of genres, can tell any."""
    return form == "lastfm_hetrec" or (form == "events" and column is not None)
