"""The section `sessions` of params.yaml."""

from typing import Literal, Self

from pydantic import Field, model_validator

from winnow.curate.settings import SourceFiles, SourcePath
from winnow.domains.sessions import definitions
from winnow.judge.settings import Judging
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.section import Float, Section
from winnow.recommend import settings
from winnow.show.settings import Drawing

Column = str | int
"""A column's name in the header, or its 0-based position."""


class Common(Section):
    """No setting is shared by several stages."""


class Events(Section):
    """The columns of an event log."""

    header: bool = Field(description="whether the first line of a text file names the columns")
    user: Column = Field(description="column of the user's id: its name, or its position from 0")
    item: list[Column] = Field(min_length=1, description="columns that name the song, joined")
    timestamp: Column | None = Field(description="column of Unix seconds or ISO 8601 times; null = none")
    genre: Column | None = Field(description="column of genres, separated by |; null = none")
    skipped: Column | None = Field(description="column of true/false; null = none")
    share_played: Column | None = Field(description="column of the share played, 0 to 1; null = none")
    plays: Column | None = Field(default=None, description="column of numbers of plays; null = a line is one play")


class Source(SourcePath):
    """One data set of the user's."""

    format: Literal["lastfm_hetrec", "lightgcn", "events"] = Field(description="format of the data set")
    path: str = Field(
        min_length=1,
        description="user_artists.dat, train.txt or an event log (.csv, .tsv, .parquet; .gz), in data/source/sessions/",
    )
    events: Events | None = Field(description="format events: its columns; else null")

    @model_validator(mode="after")
    def _has_columns(self) -> Self:
        if (self.format == "events") != (self.events is not None):
            raise ValueError("`events` names the columns of the format events, and is null for the others")
        return self


class Synthetic(Section):
    """The embedded data, used when no source is named."""

    songs: int = Field(ge=50, le=1_000_000, description="number of songs")
    users: int = Field(ge=10, le=1_000_000, description="number of users")
    genres: int = Field(ge=2, le=200, description="number of genres")
    scene_songs: int = Field(ge=2, le=1000, description="songs of a scene, a set of songs with the same listeners")
    explore: Float = Field(ge=0, lt=1, description="share of plays outside the user's own scenes")


class Ingest(SourceFiles[Source]):
    """Where the plays come from."""

    max_genres: int = Field(ge=1, le=100_000, description="genres kept, the most frequent ones (tags are free text)")
    synthetic: Synthetic = Field(description="the embedded data")


class Filter(Section):
    """Which plays, users and songs are kept."""

    drop_skipped: bool = Field(description="leave out plays that were skipped")
    min_share_played: Float = Field(ge=0, le=1, description="smallest share of a song that counts as a play")
    repeat_seconds: int = Field(
        ge=0, description="seconds within which a repeated play of the same song is not counted"
    )
    bot_plays_per_day: int = Field(ge=1, description="users with more plays on any day (UTC) are bots")
    min_user_songs: int = Field(ge=1, description="fewest songs of a user (k-core with min_song_users)")
    min_song_users: int = Field(ge=1, description="fewest users of a song (k-core with min_user_songs)")


class Label(Section):
    """Implicit positives."""

    confidence_scale: Float = Field(ge=0, le=100, description="confidence is 1 + this · ln(plays)")


class Split(Section):
    """Train, validation and test, within every user."""

    method: Literal["random", "time", "official"] = Field(
        description="random; time: a user's last songs are the test; official: the source's own test rows"
    )
    val_ratio: Float = Field(gt=0, lt=1, description="share of a user's songs for validation")
    test_ratio: Float = Field(gt=0, lt=1, description="share of a user's songs for the test (not with official)")
    cold_ratio: Float = Field(ge=0, lt=1, description="share of users held out entirely: cold-start users")
    cold_given: int = Field(ge=1, le=1000, description="known songs of a cold-start user; the others are to be found")
    regular_from: Float = Field(
        gt=0, lt=1, description="share of users, by training plays, above which a user is regular"
    )
    power_from: Float = Field(
        gt=0, lt=1, description="share of users, by training plays, above which a user is a power user"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.regular_from >= self.power_from:
            raise ValueError(f"regular_from ({self.regular_from:g}) is not below power_from ({self.power_from:g})")
        return self

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if self.val_ratio + self.test_ratio >= 1:
            raise ValueError("val_ratio and test_ratio sum to 1 or more: nothing is left to train on")
        return self


class Weight(Section):
    """How often songs are drawn as negatives, and how much an interaction counts."""

    negatives: Literal["uniform", "popularity"] = Field(description="how negatives are drawn")
    popularity_exponent: Float = Field(ge=0, le=2, description="popularity: chance ∝ listeners to the power of this")
    interactions: Literal["uniform", "confidence"] = Field(description="weight of an interaction in the loss")


class Network(Section):
    """The graph attention network."""

    embedding_dim: int = Field(ge=4, le=4096, description="dimensions of a song's vector; a multiple of heads")
    heads: int = Field(ge=1, le=64, description="attention heads")
    layers: int = Field(ge=1, le=6, description="1: songs as they are; each more: one walk song → listeners → songs")
    attention: Literal["learned", "degree"] = Field(
        description="degree: LightGCN's fixed weights; learned starts there"
    )
    convolution: settings.Convolution = Field(
        description="from songs to users: own (this project's kernels), or torch_geometric's by its name"
    )
    min_listeners: int = Field(ge=1, description="training listeners from which a song has an embedding of its own")
    temperature: Float = Field(gt=0, le=10, description="scores are divided by this")
    dropout: Float = Field(ge=0, lt=1, description="dropout probability in training")
    genre_weight: Float = Field(ge=0, le=10, description="genre_gat: weight of the genres in a song's vector")
    blend_with: Literal["graph_filter", "item_knn"] = Field(description="whose score is added to the network's")
    filter_weight: list[settings.NotNegative] = Field(
        min_length=1,
        description="how much that score counts beside the network's; the best by early_stopping.metric on validation"
        " is taken; [0.0] = it is not added",
    )
    filter_factors: int = Field(ge=1, description="graph filter: frequencies of its low-pass part")
    filter_alpha: settings.NotNegative = Field(description="graph filter: weight of its low-pass part")
    filter_sharpening: settings.NotNegative = Field(
        description="graph filter: how long it is sharpened (0: GF-CF; 2.5: BSPM)"
    )
    knn_neighbours: int = Field(ge=1, description="item-kNN: neighbours of a song")
    knn_shrink: settings.NotNegative = Field(description="item-kNN: added to a similarity's denominator")
    knn_asymmetry: Float = Field(ge=0, le=1, description="item-kNN: 0.5 is the cosine; less: popular songs come first")

    @model_validator(mode="after")
    def _even(self) -> Self:
        if self.embedding_dim % self.heads:
            raise ValueError(f"embedding_dim ({self.embedding_dim}) is not a multiple of heads ({self.heads})")
        return self


class Train(TrainingSettings):
    """Training; a row is an interaction."""

    mode: Literal["simple", "advanced"] = Field(
        description="simple: learns from train and validation, no early stopping; advanced: learns from train only"
    )
    model: Literal["gat", "genre_gat"] = Field(
        description="gat: songs and listeners; genre_gat: genres and user types as well"
    )
    loss: Literal["bpr", "sampled_softmax"] = Field(
        description="bpr: one negative per positive; sampled_softmax: many shared ones"
    )
    negatives: int = Field(ge=1, le=1_000_000, description="sampled_softmax: negatives drawn for a batch")
    hidden_share: Float = Field(
        gt=0, le=1, description="share of a user's songs that are hidden from the graph and to be found, each time"
    )
    validation_users: int = Field(
        ge=1, description="largest number of users evaluated at a validation, spread evenly over all"
    )
    l2: Float = Field(ge=0, description="penalty on the vectors of the songs of a batch, as mean square")
    network: Network = Field(description="the network")

    @model_validator(mode="after")
    def _modes(self) -> Self:
        if self.mode == "simple":
            required = {
                "early_stopping.patience": (self.early_stopping.patience, 0),
                "select": (self.select, "last"),
                "scheduler.name": (self.scheduler.name, "constant"),
            }
            wrong = [f"{name}: {wanted}" for name, (value, wanted) in required.items() if value != wanted]
            if wrong:
                raise ValueError(f"mode simple has no validation to stop or select by; it needs {', '.join(wrong)}")
            if len(self.network.filter_weight) > 1:
                raise ValueError("mode simple has no validation to choose by: network.filter_weight needs one value")
        return self


class Baselines(settings.GraphBaselines):
    """The baseline recommenders."""

    ease_songs: int = Field(ge=10, le=50_000, description="EASE: the most popular songs only (it inverts a matrix)")


class Evaluate(Judging):
    block: int = Field(ge=1, description="users ranked at a time; affects memory only")
    explained_users: int = Field(ge=1, le=10_000, description="users whose recommendations are explained")
    explained_songs: int = Field(ge=1, le=20, description="recommendations explained for each")
    reasons: int = Field(ge=1, le=20, description="reasons given for each")
    explanation_checks: int = Field(
        ge=10, le=10_000, description="recommendations that are scored again without their first reason, as a check"
    )
    baselines: Baselines = Field(description="the baseline recommenders")


class Plot(Drawing):
    explained_shown: int = Field(ge=1, le=30, description="users on the sheet of explained recommendations")


class Params(Section):
    """All of `sessions`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="reading plays from files, or the embedded data")
    filter: Filter = Field(description="which plays, users and songs are kept")
    label: Label = Field(description="positives and confidence")
    split: Split = Field(description="train, validation, test, cold-start users, user types")
    weight: Weight = Field(description="negative sampling and interaction weights")
    train: Train = Field(description="the network and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the pictures")

    @model_validator(mode="after")
    def _genres_to_learn_from(self) -> Self:
        """genre_gat needs songs with genres; a source may name none, which is known before any stage runs."""
        sources = self.ingest.sources
        named = [
            definitions.may_have_genres(each.format, each.events.genre if each.events else None) for each in sources
        ]
        if self.train.model == "genre_gat" and sources and not any(named):
            raise ValueError(
                "train.model is genre_gat, which learns from genres, and no source names any; "
                "set sessions.train.model: gat, or name the column of genres as the source's events.genre"
            )
        return self
