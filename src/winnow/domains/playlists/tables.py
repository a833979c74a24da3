"""The tables between the playlists stages. Tracks and artists have names until the label stage numbers them."""

import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.domains.playlists import definitions
from winnow.pipeline.tables import Table


class Playlists(Table):
    """Every playlist that was read."""

    playlist: Series[int] = pa.Field(unique=True, ge=0, description="running number over all sources")
    source: Series[str] = pa.Field(description="path as named in params.yaml, or synthetic")
    key: Series[str] = pa.Field(description="the source's own id: MPD's pid, or user and playlist name")
    name: Series[str] = pa.Field(description="for people; empty where the source has none")


class Entries(Table):
    """One row per track in a playlist, in the playlist's order; the rows of a playlist need not be adjacent."""

    entry: Series[int] = pa.Field(unique=True, ge=0)
    playlist: Series[int] = pa.Field(ge=0)
    position: Series[int] = pa.Field(ge=0, description="in the playlist, with gaps where a row was rejected")
    track: Series[str] = pa.Field(description="the source's id; where it has none, artist and title")
    title: Series[str]
    artist: Series[str] = pa.Field(nullable=True)


class ArtistGenres(Table):
    """How often an artist was given a genre, by lower-cased name; without rows where genres are not known."""

    artist: Series[str]
    genre: Series[str]
    count: Series[float] = pa.Field(gt=0)


class Dropped(tables.Dropped):
    entry: Series[int] = pa.Field(unique=True, ge=0)


class NumberedPlaylists(Table):
    """Playlists with their number, 0 … n-1 in the order in which they were read."""

    playlist_index: Series[int] = pa.Field(unique=True, ge=0)
    playlist: Series[int] = pa.Field(unique=True, ge=0)
    name: Series[str]


class Tracks(Table):
    """Tracks with their number, 0 … n-1 in the order of their ids; the edges from tracks to artists."""

    track_index: Series[int] = pa.Field(unique=True, ge=0)
    track: Series[str] = pa.Field(unique=True)
    title: Series[str]
    artist_index: Series[int] = pa.Field(ge=-1, description="-1: the track has no artist")


class Artists(Table):
    """Artists with their number, 0 … n-1 in the order of their names."""

    artist_index: Series[int] = pa.Field(unique=True, ge=0)
    artist: Series[str] = pa.Field(unique=True)


class Genres(Table):
    """Genres with their number, 0 … n-1 in the order of their names."""

    genre_index: Series[int] = pa.Field(unique=True, ge=0)
    genre: Series[str] = pa.Field(unique=True)


class GenreEdges(Table):
    """The edges from artists to genres. An artist without genre has none."""

    artist_index: Series[int] = pa.Field(ge=0)
    genre_index: Series[int] = pa.Field(ge=0)
    share: Series[float] = pa.Field(gt=0, le=1, description="the shares of an artist sum to 1")


class NumberedEntries(Table):
    """One row per track in a playlist, by playlist and position."""

    playlist_index: Series[int] = pa.Field(ge=0)
    position: Series[int] = pa.Field(ge=0, description="0 … n-1 in the playlist")
    track_index: Series[int] = pa.Field(ge=0)


class Splits(NumberedEntries):
    """The entries of the playlists that are used."""

    split: Series[str] = pa.Field(isin=[*definitions.SPLITS, definitions.UNSEEN])


class TrainingGraph(Table):
    """The edges from playlists to tracks that training may see, by both: no held-out one."""

    playlist_index: Series[int] = pa.Field(ge=0)
    track_index: Series[int] = pa.Field(ge=0)


class Sampling(Table):
    """How often each track is drawn as a negative."""

    track_index: Series[int] = pa.Field(unique=True, ge=0)
    playlists: Series[int] = pa.Field(ge=0, description="training playlists that have it")
    probability: Series[float] = pa.Field(ge=0, le=1, description="sums to 1")
    embedded: Series[bool] = pa.Field(description="in enough playlists for a vector of its own")


class TrackEdges(Table):
    """Edges from tracks to the tracks that share most playlists with them, by shrunk cosine."""

    track_index: Series[int] = pa.Field(ge=0)
    neighbour: Series[int] = pa.Field(ge=0, description="a track with a vector of its own")
    together: Series[int] = pa.Field(ge=1, description="training playlists that have both")
    weight: Series[float] = pa.Field(gt=0, le=1, description="the weights of a track sum to 1")


class EdgeSettings(Table):
    """How the edges from tracks to tracks were made; one row."""

    neighbours: Series[int] = pa.Field(ge=1, description="edges of a track, at most")
    shrink: Series[float] = pa.Field(ge=0, description="added to the denominator of an edge's weight")


class KnownTracks(Tracks):
    """The tracks of a trained model."""

    playlists: Series[int] = pa.Field(ge=0, description="training playlists that have it")


class Seen(Table):
    """The training playlists of a model, without what they hold."""

    digest: Series[int] = pa.Field(description="of a playlist's tracks, see `prefix_digests`")


class NameWordCounts(Table):
    """The words of playlists' names, in their order."""

    word: Series[str] = pa.Field(unique=True, description="without accents, in lower case; or an emoji")
    playlists: Series[int] = pa.Field(ge=2, description="training playlists whose name has it")


class NameWordTracks(Table):
    """Which tracks the playlists have whose name has a word."""

    word_index: Series[int] = pa.Field(ge=0)
    track_index: Series[int] = pa.Field(ge=0)
    together: Series[int] = pa.Field(ge=1, description="training playlists that have both")


class Ranked(Table):
    """How well each playlist's held-out tracks were ranked, for the model and every baseline."""

    recommender: Series[str] = pa.Field(description="model, network (without the blend), or a baseline's name")
    playlist_index: Series[int] = pa.Field(ge=0)
    length: Series[str] = pa.Field(isin=list(definitions.LENGTH_BINS), description="known tracks of the playlist")
    held_out: Series[int] = pa.Field(ge=1)
    held_out_seen: Series[int] = pa.Field(ge=0, description="of them, tracks that some training playlist has")
    recall_at_10: Series[float] = pa.Field(ge=0, le=1)
    recall_at_50: Series[float] = pa.Field(ge=0, le=1)
    recall_at_100: Series[float] = pa.Field(ge=0, le=1)
    ndcg_at_10: Series[float] = pa.Field(ge=0, le=1)
    ndcg_at_50: Series[float] = pa.Field(ge=0, le=1)
    ndcg_at_100: Series[float] = pa.Field(ge=0, le=1)
    reciprocal_rank: Series[float] = pa.Field(ge=0, le=1, description="of the first held-out track in the full ranking")
    novelty: Series[float] = pa.Field(ge=0, description="mean surprise of the list's tracks, bits")
    diversity: Series[float] = pa.Field(
        nullable=True, ge=0, le=1, description="distinct artists over tracks, list of 10"
    )
    r_precision: Series[float] = pa.Field(ge=0, le=1)
    challenge_r_precision: Series[float] = pa.Field(
        ge=0, le=1.25, description="the RecSys Challenge 2018's, with a part for artists"
    )
    ndcg_at_500: Series[float] = pa.Field(ge=0, le=1, description="the RecSys Challenge 2018's")
    clicks: Series[float] = pa.Field(ge=0, le=51)
    seen_recall_at_10: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="of held_out_seen")
    seen_recall_at_50: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    seen_recall_at_100: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    seen_ndcg_at_10: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    seen_ndcg_at_50: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    seen_ndcg_at_100: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    seen_r_precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)


class Seeds(Table):
    """What is found by how many tracks are known of a playlist, the last ones before those to find."""

    recommender: Series[str]
    unseen: Series[bool] = pa.Field(description="playlists of which training has seen nothing")
    seeds: Series[int] = pa.Field(ge=0, description="known tracks; 0: the playlist's name alone")
    playlists: Series[int] = pa.Field(ge=1, description="that are long enough")
    recall_at_10: Series[float] = pa.Field(ge=0, le=1)
    challenge_r_precision: Series[float] = pa.Field(ge=0, le=1.25)
    ndcg_at_500: Series[float] = pa.Field(ge=0, le=1)
    clicks: Series[float] = pa.Field(ge=0, le=51)


class Completed(Table):
    """Completed playlists: the last known tracks and the recommended ones, each with what weighed most for it."""

    playlist: Series[str] = pa.Field(description="its name, or its number")
    given: Series[str] = pa.Field(description="its last known tracks")
    place: Series[int] = pa.Field(ge=1)
    track: Series[str] = pa.Field(description="artist and title")
    found: Series[bool] = pa.Field(description="the playlist does have it, in the test split")
    score: Series[float]
    kind: Series[str] = pa.Field(isin=["track", "artist", "genre"])
    reason: Series[str] = pa.Field(description="a track of the playlist, or the recommended track's artist or genre")
    effect: Series[float] = pa.Field(description="by how much the score falls without it")
