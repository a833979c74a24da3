"""The section `toy` of params.yaml."""

from typing import Self

from pydantic import Field, model_validator

from winnow.curate.settings import SourceFiles, SourcePath
from winnow.judge.settings import Judging
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.section import Float, Section
from winnow.show.settings import Drawing


class Common(Section):
    pass


class Source(SourcePath):
    """A CSV file with a header."""


class Columns(Section):
    group: str = Field(min_length=1, description="rows of one group are not split, such as a station or a patient")
    target: str = Field(min_length=1, description="what is to be predicted, a number")
    features: list[str] = Field(min_length=1, description="what it is predicted from, numbers")

    @model_validator(mode="after")
    def _features_are_others(self) -> Self:
        if self.target in self.features or len({*self.features}) < len(self.features):
            raise ValueError(f"features must be different columns, and not the target: {', '.join(self.features)}")
        return self


class Ingest(SourceFiles[Source]):
    columns: Columns = Field(description="names of the files' columns")
    groups: int = Field(ge=10, le=10_000, description="groups of the embedded data")


class Filter(Section):
    min_target: Float = Field(ge=-1e15, le=1e15, description="smallest target that is believed")
    max_target: Float = Field(ge=-1e15, le=1e15, description="largest target that is believed")


class Label(Section):
    pass


class Split(Section):
    val_share: Float = Field(gt=0, lt=0.5, description="share of rows for validation")
    test_share: Float = Field(gt=0, lt=0.5, description="share of rows for the test")


class Weight(Section):
    pass


class Train(TrainingSettings):
    hidden: int = Field(ge=1, le=4096, description="width of the network")


class Evaluate(Judging):
    ridge_alpha: Float = Field(gt=0, description="regularisation of the ridge regression that the model must beat")


class Plot(Drawing):
    pass


class Params(Section):
    """All of `toy`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="reading CSV files, or the embedded data")
    filter: Filter = Field(description="which rows are kept")
    label: Label = Field(description="what is to be predicted")
    split: Split = Field(description="train, validation and test")
    weight: Weight = Field(description="rows of large groups weigh less")
    train: Train = Field(description="the network and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the pictures")
