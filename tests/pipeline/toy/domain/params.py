"""The section `toy` of params.yaml."""

from pydantic import Field

from winnow.curate.settings import SourcePath
from winnow.judge.settings import Judging
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.section import Float, Section
from winnow.show.settings import Drawing


class Common(Section):
    pass


class Ingest(Section):
    sources: list[SourcePath] = Field(description="files of flowers; none is read yet")
    flowers: int = Field(ge=10, le=100_000, description="flowers to grow")


class Filter(Section):
    max_length: Float = Field(gt=0, description="longest petal that is believed, in cm")


class Label(Section):
    pass


class Split(Section):
    val_share: Float = Field(gt=0, lt=0.5, description="share of flowers for validation")
    test_share: Float = Field(gt=0, lt=0.5, description="share of flowers for the test")


class Weight(Section):
    pass


class Train(TrainingSettings):
    hidden: int = Field(ge=1, le=1024, description="width of the network")


class Evaluate(Judging):
    pass


class Plot(Drawing):
    pass


class Params(Section):
    """All of `toy`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="growing flowers")
    filter: Filter = Field(description="which flowers are kept")
    label: Label = Field(description="their species as a number")
    split: Split = Field(description="train, validation and test")
    weight: Weight = Field(description="rare species weigh more")
    train: Train = Field(description="the network and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the picture")
