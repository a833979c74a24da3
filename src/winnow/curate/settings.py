"""What a person sets of a domain's data: sources named once, shares and folds of the split."""

from collections.abc import Iterable
from typing import Self

from pydantic import Field, model_validator

from winnow.pipeline.section import Float, Section


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


def check_unique_sources(paths: Iterable[str]) -> None:
    """Raise ValueError, which params.yaml's reader tells with its line, when a source's path comes twice."""
    named = list(paths)
    twice = sorted({path for path in named if named.count(path) > 1})
    if twice:
        raise ValueError(f"a source is named twice: {', '.join(twice)}")
