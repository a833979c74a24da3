"""The section `climb` of params.yaml."""

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from winnow.curate.settings import SourceFiles, SourcePath, StratifiedSplit
from winnow.domains.climb import definitions
from winnow.judge.settings import Judging
from winnow.learn.settings import Training
from winnow.pipeline.section import Float, Section
from winnow.show.settings import Drawing

BoardName = Literal["2016", "2017", "2019", "2020"]


class Common(Section):
    """What several stages share: the boards, and what makes a route possible on them."""

    boards: list[BoardName] = Field(min_length=1, description="boards to work on, by year; other routes are dropped")
    min_holds: int = Field(ge=2, le=definitions.CELLS, description="fewest holds of a route")
    max_holds: int = Field(ge=2, le=definitions.CELLS, description="most holds of a route")
    max_reach: Float = Field(gt=0, le=20, description="farthest a hand moves, in cells (one cell is about 20 cm)")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.min_holds > self.max_holds:
            raise ValueError(f"min_holds ({self.min_holds}) is more than max_holds ({self.max_holds})")
        if len(set(self.boards)) < len(self.boards):
            raise ValueError(f"a board is named twice: {', '.join(self.boards)}")
        return self


class Source(SourcePath):
    """One file of the user's own data."""

    format: Literal["web", "app", "guidebook", "minimal"] = Field(description="which site or program wrote it")
    path: str = Field(min_length=1, description="data/source/climb/<file>.json or .json.gz")


class Peer(Section):
    """Routes that somebody else's model made, to be judged beside our own."""

    path: str = Field(min_length=1, description="data/source/climb/<file>.json or .json.gz")
    board: BoardName = Field(description="board that the routes are for; the angle is taken to be 40 degrees")


class Synthetic(Section):
    """The embedded data, made when no source is named."""

    routes: int = Field(ge=1, le=1_000_000, description="problems to make, over all boards and angles")
    benchmark_share: Float = Field(ge=0, le=1, description="share of problems marked as benchmarks")
    unknown_share: Float = Field(ge=0, le=1, description="share of problems given by holds, grade and stars only")


class Ingest(SourceFiles[Source]):
    """Where the problems come from."""

    peers: list[Peer] = Field(description="generated routes of others; may be empty")
    synthetic: Synthetic = Field(description="the embedded data")


class Filter(Section):
    """Which routes are kept, and which are proven; what makes a route possible is in `common`."""

    min_repeats: int = Field(ge=0, description="repeats from which a route belongs to the subset `quality`")


class Label(Section):
    """The quality bins."""

    medium_from: int = Field(ge=1, description="repeats from which quality is medium; fewer are low")
    high_from: int = Field(ge=2, description="repeats from which quality is high")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.medium_from >= self.high_from:
            raise ValueError(f"medium_from ({self.medium_from}) is not below high_from ({self.high_from})")
        return self


class Split(StratifiedSplit):
    """Strata are grade × quality; a group is a hold set on a board."""


class Weight(Section):
    """How often each training route is drawn."""

    low_repeats: int = Field(ge=1, description="repeats up to which a route has weight 1")
    high_repeats: int = Field(ge=2, description="repeats at which a route has weight `high_ratio`")
    high_ratio: Float = Field(ge=1, description="how much more often a route with `high_repeats` is drawn")
    max_ratio: Float = Field(ge=1, description="how much more often than at `low_repeats` a route is drawn at most")
    simulated_epochs: int = Field(ge=1, le=10_000, description="epochs over which the ratio really drawn is measured")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.low_repeats >= self.high_repeats:
            raise ValueError(f"low_repeats ({self.low_repeats}) is not below high_repeats ({self.high_repeats})")
        if self.high_ratio > self.max_ratio:
            raise ValueError(f"high_ratio ({self.high_ratio:g}) is more than max_ratio ({self.max_ratio:g})")
        return self


class Network(Section):
    """The transformer's size."""

    width: int = Field(ge=8, le=4096, description="numbers that stand for a hold; a multiple of heads")
    layers: int = Field(ge=1, le=64, description="transformer blocks")
    heads: int = Field(ge=1, le=64, description="attention heads of a block")
    dropout: Float = Field(ge=0, lt=1, description="share of activations that are dropped in training")

    @model_validator(mode="after")
    def _even(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width ({self.width}) is no multiple of heads ({self.heads})")
        return self


class Sampling(Section):
    """How holds are drawn from the network's distribution; the trained model carries it."""

    guidance: Float = Field(ge=0, le=20, description="1: as trained; more: the grade counts more (needs grade_dropout)")
    temperature: Float = Field(gt=0, le=10, description="below 1 likelier holds, above 1 more surprising ones")
    top_p: Float = Field(gt=0, le=1, description="holds are drawn from the likeliest, whose probabilities sum to this")


class Train(Training):
    """Training the generator."""

    subsets: ClassVar[tuple[str, ...]] = ("benchmark", "quality", "full")

    grade_dropout: Float = Field(ge=0, lt=1, description="share of training routes whose grade is hidden, for guidance")
    weighted: bool = Field(description="draw training routes by the weight stage's weights, else each once an epoch")
    network: Network = Field(description="the transformer")
    sampling: Sampling = Field(description="how the trained model draws holds, in evaluate and `winnow climb`")


class Generation(Section):
    """New routes: for each grade of the test routes, on boards and at angles as those routes have them."""

    per_grade: int = Field(ge=1, le=100_000, description="routes for each grade")


class GradeJudging(Section):
    """The scikit-learn models that say the grade of a route from its holds."""

    trees: int = Field(ge=1, le=10_000, description="trees of the random forest")
    min_leaf: int = Field(ge=1, description="fewest training routes in a leaf")
    neighbour_weight: Float = Field(ge=0, le=1, description="how much the next grades' probability counts for a grade")


class Evaluate(Judging):
    batch_size: int = Field(ge=1, description="routes at a time; memory only")
    generation: Generation = Field(description="the routes that the model is judged by")
    grade_judge: GradeJudging = Field(description="the independent judge of grades")


class Plot(Drawing):
    routes_shown: int = Field(ge=1, le=200, description="generated routes on the sheet, evenly over the grades")
    sheet_columns: int = Field(ge=1, le=20, description="boards side by side on the sheet")


class Params(Section):
    """All of `climb`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="reading problems from files, or making them")
    filter: Filter = Field(description="which problems are kept, and the subsets they belong to")
    label: Label = Field(description="grade, quality bin and tokens")
    split: Split = Field(description="train, validation and test")
    weight: Weight = Field(description="how often each training route is drawn")
    train: Train = Field(description="the network and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the pictures")
