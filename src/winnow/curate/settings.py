"""The settings of a domain's data that several domains share: source files, shares and folds of the split."""

from typing import Generic, Self, TypeVar

from pydantic import Field, model_validator

from winnow.pipeline.section import Float, Section


class SourcePath(Section):
    """A source that the user provides; a domain's `Source` inherits it and adds the formats it can read."""

    path: str = Field(min_length=1, description="file or folder in data/source/<domain>/")


S = TypeVar("S", bound=SourcePath)


class SourceFiles(Section, Generic[S]):
    """Where a domain's data come from; its `Ingest` inherits `SourceFiles[Source]` and adds the embedded data."""

    sources: list[S] = Field(description="the user's own data; empty: the embedded synthetic data")
    max_rejected_share: Float = Field(
        ge=0, le=1, description="the stage fails when a larger share of the source rows cannot be used"
    )

    @model_validator(mode="after")
    def _each_source_once(self) -> Self:
        paths = [source.path for source in self.sources]
        repeated = sorted({path for path in paths if paths.count(path) > 1})
        if repeated:
            raise ValueError(f"a source is named twice: {', '.join(repeated)}")
        return self


class StratifiedSplit(Section):
    """Train, validation and test: by shares, or as the parts of a cross-validation."""

    val_share: Float = Field(gt=0, lt=1, description="share of rows for validation")
    test_share: Float = Field(gt=0, lt=1, description="share of rows for the final test")
    min_stratum: int = Field(ge=1, description="groups of rows below which a stratum is merged with others")
    folds: int = Field(ge=0, le=100, description="0: one split by the shares; 3 or more: parts of a cross-validation")
    fold: int = Field(ge=0, le=99, description="the part that is the test; the next one is for validation")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.val_share + self.test_share >= 1:
            raise ValueError("val_share and test_share sum to 1 or more: nothing is left to train on")
        if self.folds in (1, 2):
            raise ValueError(f"folds is {self.folds}: train, validation and test need 3 or more (or 0 for one split)")
        if self.fold >= max(self.folds, 1):
            raise ValueError(f"fold {self.fold} does not exist with folds: {self.folds} (they count from 0)")
        return self
