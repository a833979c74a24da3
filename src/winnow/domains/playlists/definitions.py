"""The terms of playlists, for every stage."""

from winnow.curate import split_names

SPLITS = split_names.SPLITS

UNSEEN = "unseen"
"""The split of the playlists that are held out whole."""

SEEDS = (0, 1, 5, 10, 25, 100)
"""Known tracks by which results are told, as in the RecSys Challenge 2018; 0 is the playlist's name alone."""

CUTOFFS = (10, 50, 100)
"""The K of Recall@K and NDCG@K."""

LIST_LENGTH = 10
"""Tracks of a list by which coverage, novelty, artist diversity and exposure are measured."""

PLACES = 500
"""Tracks of a list in the RecSys Challenge 2018, over which clicks are counted."""

LENGTH_BINS = ("1-10", "11-25", "26-50", "51-100", "101+")
LENGTH_EDGES = (10, 25, 50, 100)
"""Known tracks of a playlist at which the first bins end (inclusive)."""

JOIN = " – "
"""Between artist and title."""
BECAUSE = {"track": "because of", "artist": "its artist", "genre": "its genre"}
"""The words before the name in a reason of each kind."""
