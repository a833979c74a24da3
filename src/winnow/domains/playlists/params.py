"""The section `playlists` of params.yaml."""

from typing import Literal, Self

from pydantic import Field, model_validator

from winnow.curate.settings import SourceFiles, SourcePath
from winnow.judge.settings import Judging
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.section import Float, Section
from winnow.recommend import settings
from winnow.show.settings import Drawing


class Common(Section):
    """No setting is shared by several stages."""


class Source(SourcePath):
    """One data set of the user's."""

    format: Literal["mpd", "csv"] = Field(
        description="mpd: slices of the Million Playlist Dataset (JSON); csv: user, artist, track, playlist (Kaggle)"
    )
    path: str = Field(
        min_length=1, description="a file, or for mpd a folder of mpd.slice.*.json, in data/source/playlists/; .gz too"
    )


class Synthetic(Section):
    """The embedded data, used when no source is named."""

    playlists: int = Field(ge=20, le=10_000_000, description="number of playlists")
    tracks: int = Field(ge=50, le=10_000_000, description="number of tracks")
    artists: int = Field(ge=5, le=1_000_000, description="number of artists; at most as many as tracks")
    genres: int = Field(ge=1, le=1000, description="number of genres")
    mean_length: int = Field(ge=5, le=250, description="mean number of tracks in a playlist")
    explore: Float = Field(ge=0, lt=1, description="share of tracks that do not fit their playlist")

    @model_validator(mode="after")
    def _artists_have_tracks(self) -> Self:
        if self.artists > self.tracks:
            raise ValueError(f"artists ({self.artists}) is more than tracks ({self.tracks})")
        return self


class Ingest(SourceFiles[Source]):
    """Where the playlists come from."""

    artist_genres: str | None = Field(
        description="CSV of the columns artist, genre and optionally count in data/source/playlists/; null = no genres"
    )
    synthetic: Synthetic = Field(description="the embedded data")


class Filter(Section):
    """Which playlists and tracks are kept."""

    min_tracks: int = Field(ge=2, description="fewest tracks of a playlist")
    min_track_playlists: int = Field(ge=1, description="fewest playlists of a track")


class Label(Section):
    """Edges from artists to genres."""

    genres_per_artist: int = Field(ge=1, le=50, description="genres of an artist that are kept, the most frequent ones")


class Split(Section):
    """Train, validation and test, within every playlist."""

    holdout_size: int = Field(
        ge=1, le=100, description="last tracks of a playlist for the test, and as many before them for validation"
    )
    unseen_share: Float = Field(ge=0, lt=1, description="share of the playlists that are held out whole")
    max_playlists: int | None = Field(ge=10, description="playlists used, drawn at random; null = all")


class Weight(Section):
    """How often tracks are drawn as negatives, and the edges from tracks to tracks."""

    negatives: Literal["uniform", "popularity"] = Field(description="how negatives are drawn")
    popularity_exponent: Float = Field(ge=0, le=2, description="popularity: chance ∝ playlists to the power of this")
    min_playlists: int = Field(ge=1, description="training playlists from which a track has a vector of its own")
    neighbours: int = Field(ge=1, le=500, description="edges of a track to tracks that share playlists with it")
    shrink: Float = Field(ge=0, description="added to the denominator of an edge's weight, a cosine")


Convolution = Literal[settings.Convolution, "HeteroConv", "HGTConv"]
"""The last two read the artists and genres of a playlist's tracks, too."""


class Network(Section):
    """PlaylistGAT."""

    embedding_dim: int = Field(ge=4, le=4096, description="dimensions of a vector; a multiple of heads")
    heads: int = Field(ge=1, le=64, description="attention heads")
    history: int = Field(ge=1, le=1000, description="last tracks of a playlist that are read, each with a gate")
    temperature: Float = Field(gt=0, le=10, description="scores, which are cosines, are divided by this in the loss")
    dropout: Float = Field(ge=0, lt=1, description="dropout probability in training, of a track's vector")
    convolution: Convolution = Field(
        description="from tracks to playlists: own (this project's kernels), or torch_geometric's by its name"
    )
    without: list[Literal["content_attention", "query", "own_vectors", "walk", "genres", "artists"]] = Field(
        description="parts that the network does without, as in the ablation of benchmarks/playlists; [] = none"
    )

    @model_validator(mode="after")
    def _even(self) -> Self:
        if self.embedding_dim % self.heads:
            raise ValueError(f"embedding_dim ({self.embedding_dim}) is not a multiple of heads ({self.heads})")
        return self


class Blend(Section):
    """The score of item-kNN with recency, which may be added to the network's."""

    weights: list[settings.NotNegative] = Field(
        min_length=1, description="how much it counts; the best on validation is taken; [0.0] = it is not added"
    )
    neighbours: int = Field(ge=1, description="neighbours of a track")
    shrink: settings.NotNegative = Field(description="added to a similarity's denominator")
    decay: Float = Field(gt=0, description="the track n places from the end weighs exp(-n / this) + floor")
    floor: settings.NotNegative = Field(description="least weight of a track")
    artist_weight: settings.NotNegative = Field(description="what the share of a track's artist counts; 0 = nothing")
    genre_weight: settings.NotNegative = Field(description="what the share of its artist's genres counts; 0 = nothing")
    distance: Float | None = Field(
        gt=0, description="two tracks of a playlist count as exp(-(places apart - 1) / this); null = as 1, in any order"
    )


class Train(TrainingSettings):
    """Training; a row is a playlist."""

    loss: Literal["bpr", "sampled_softmax"] = Field(
        description="bpr: one negative per positive; sampled_softmax: many shared ones"
    )
    negatives: int = Field(ge=1, le=1_000_000, description="sampled_softmax: negatives drawn for a batch")
    targets: int = Field(ge=1, le=100, description="tracks after the cut of a playlist, to be found from those before")
    min_context_share: Float = Field(ge=0, le=1, description="share of a playlist's tracks before the earliest cut")
    validation_playlists: int = Field(
        ge=1, description="largest number of playlists evaluated at a validation, spread evenly over all"
    )
    network: Network = Field(description="the network")
    blend: Blend = Field(description="item-kNN with recency beside the network")


Recommender = Literal[
    "popularity",
    "artist_popularity",
    "item_knn",
    "item_knn_artist",
    "item_knn_recency",
    "item_knn_recency_artist",
    "item_knn_ordered",
    "stan",
    "sequential_rules",
    "ease",
    "als",
    "graph_filter",
    "sasrec",
]


class Baselines(settings.Baselines):
    """The baseline recommenders."""

    included: list[Recommender] = Field(
        min_length=1, description="those that are fitted; item_knn_ordered knows order, artists and genres"
    )
    ease_tracks: int = Field(ge=10, le=50_000, description="EASE: the most popular tracks only (it inverts a matrix)")
    artist_weights: list[settings.NotNegative] = Field(
        min_length=1, description="item-kNN + artist: weight of the artist's share"
    )
    genre_weights: list[settings.NotNegative] = Field(
        min_length=1, description="item-kNN ordered: weight of the genres' share"
    )
    recency_decays: list[settings.Positive] = Field(
        min_length=1, description="item-kNN with recency: the track n places from the end weighs exp(-n / this) + floor"
    )
    recency_floors: list[settings.NotNegative] = Field(
        min_length=1, description="item-kNN with recency: least weight of a track"
    )
    ordered_distances: list[settings.Positive] = Field(
        min_length=1, description="item-kNN ordered: tracks of a playlist count as exp(-(places apart - 1) / this)"
    )
    stan_lists: list[settings.Count] = Field(min_length=1, description="STAN: nearest playlists")
    stan_decays: list[settings.Positive] = Field(
        min_length=1, description="STAN: the track n places from the end weighs exp(-n / this)"
    )
    stan_spreads: list[settings.Positive] = Field(
        min_length=1, description="STAN: a track n places from the one in common weighs exp(-n / this)"
    )
    rules_reach: list[settings.Count] = Field(min_length=1, description="sequential rules: places that they reach")
    sasrec_dims: list[settings.Count] = Field(min_length=1, description="SASRec: sizes, multiples of 2")
    sasrec_epochs: int = Field(ge=1, le=1000, description="SASRec: epochs; the best by validation counts")
    sasrec_learning_rate: Float = Field(gt=0, description="SASRec: Adam's learning rate")
    tuning_playlists: int = Field(
        ge=10, description="largest number of playlists on which settings are chosen, spread evenly over all"
    )


class Evaluate(Judging):
    test_playlists: int = Field(
        ge=10, description="largest number of playlists on which recommenders are compared, spread evenly over all"
    )
    block: int = Field(ge=1, description="playlists ranked at a time; affects memory only")
    explained_playlists: int = Field(ge=1, le=10_000, description="playlists whose completion is kept with reasons")
    explained_tracks: int = Field(ge=1, le=100, description="recommended tracks kept for each")
    reasons: int = Field(ge=1, le=20, description="reasons given for each")
    explanation_checks: int = Field(
        ge=10, le=10_000, description="recommendations that are scored again without their first reason, as a check"
    )
    baselines: Baselines = Field(description="the baseline recommenders")


class Plot(Drawing):
    completed_shown: int = Field(ge=1, le=30, description="playlists on the sheet of completed playlists")


class Params(Section):
    """All of `playlists`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="reading playlists from files, or the embedded data")
    filter: Filter = Field(description="which playlists and tracks are kept")
    label: Label = Field(description="numbers, and edges to artists and genres")
    split: Split = Field(description="the last tracks of every playlist held out")
    weight: Weight = Field(description="negative sampling, and edges from tracks to tracks")
    train: Train = Field(description="the network and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the pictures")
