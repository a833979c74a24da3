"""What a model card says of a network that completes playlists."""

from winnow.learn.card import Description

CARD = Description(
    title="winnow playlists: playlist completion",
    task="From the tracks of a playlist in order, or its name, to tracks with which it may go on, with a chance and "
    "the reasons.",
    use="Completion of playlists with tracks of its training data.",
    limits=(
        "It knows the tracks of its training data only, and nothing of how they sound.",
        "Popular tracks and artists are suggested more often; look at coverage and novelty above.",
        "Names of playlists are understood by their words alone.",
    ),
    row="playlist entries",
    synthetic="playlists drawn from tracks of drawn artists and genres",
    tags=("recommendation", "playlist-continuation", "graph-neural-network"),
)
