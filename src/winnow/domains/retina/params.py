"""The section `retina` of params.yaml."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from winnow.curate.settings import SourceFiles, SourcePath, StratifiedSplit
from winnow.domains.retina.definitions import WITH_VALIDATION
from winnow.judge.settings import Judging
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.section import Float, ModelPath, Section
from winnow.show.settings import Drawing
from winnow.vision.settings import Augment, BackboneName


class Common(Section):
    """What several stages share."""

    image_size: int = Field(ge=16, le=2048, description="side of the prepared photographs, in pixels")


class Source(SourcePath):
    """One collection of the user's photographs."""

    format: Literal["aptos", "eyepacs", "idrid", "medmnist", "folders"] = Field(description="format of the collection")
    path: str = Field(min_length=1, description="data/source/retina/…: a CSV, an .npz, or a folder with one per grade")
    images: str | None = Field(description="of a CSV: folder of the photographs; null: the CSV's own")


class Synthetic(Section):
    """The embedded data, drawn when no source is named."""

    photographs: int = Field(ge=20, le=1_000_000, description="number of photographs, two eyes per patient")
    size: int = Field(ge=32, le=1024, description="side of the drawn photographs, in pixels")
    flawed_share: Float = Field(ge=0, le=0.5, description="share too dark, too bright, blurred or without a retina")
    duplicate_share: Float = Field(
        ge=0, le=0.5, description="share taken a second time, a third of these with another grade"
    )


class Ingest(SourceFiles[Source]):
    """Where the photographs come from, and how they are prepared."""

    crop: bool = Field(description="crop to the retina; false for photographs that are cropped already")
    contrast: bool = Field(description="Ben Graham's preprocessing: subtract the local mean colour")
    synthetic: Synthetic = Field(description="the embedded data")


class Filter(Section):
    """Which photographs are kept."""

    min_brightness: Float = Field(ge=0, le=255, description="mean brightness of the retina below which it is too dark")
    max_brightness: Float = Field(
        ge=0, le=255, description="mean brightness of the retina above which it is too bright"
    )
    min_retina_share: Float = Field(ge=0, le=1, description="share of the square that must show retina")
    min_sharpness: Float = Field(
        ge=0, le=10_000, description="sharpness, measured at 128 pixels, below which it is too blurred"
    )
    max_dropped_share: Float = Field(
        ge=0, le=1, description="the stage fails when a larger share of the photographs breaks one of these limits"
    )
    max_hash_distance: int = Field(ge=0, le=64, description="bits of 256 by which the hashes of duplicates may differ")
    duplicates: Literal["drop", "keep"] = Field(description="drop: keep the first only; keep: keep all, in one split")
    conflicts: Literal["drop", "as_duplicates"] = Field(
        description="duplicates with different grades: drop all of them, or treat them as duplicates"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.min_brightness >= self.max_brightness:
            raise ValueError(
                f"min_brightness ({self.min_brightness:g}) is not below max_brightness ({self.max_brightness:g})"
            )
        return self


class Label(Section):
    """Whose eye each photograph shows; the scale of grades is fixed."""

    neighbour_distance: Float = Field(
        ge=0,
        le=255,
        description="photographs numbered one after the other whose mean colours differ by at most this are one "
        "patient's (levels of 255, Euclidean), where neither name nor source gives the patient; 0 = never",
    )


class Split(StratifiedSplit):
    """Strata are grades; a group is a patient, or photographs that are duplicates of each other."""

    keep_official: bool = Field(description="keep a source's own split where it has one")


class Weight(Section):
    """The weight of each grade in the loss."""

    method: Literal["balanced", "sqrt", "effective_number"] = Field(
        description="by inverse frequency, by its square root, or by the inverse effective number of photographs"
    )
    effective_beta: Float = Field(
        gt=0, lt=1, description="effective_number: above 1 / (1 - beta) photographs, more of a grade hardly count"
    )
    max_class_weight: Float = Field(
        gt=0, le=1e6, description="larger weights are cut to this, and warned about; the mean over photographs is 1"
    )


class Network(Section):
    """The network."""

    backbone: BackboneName = Field(description="the feature extractor")
    weights: Annotated[str, ModelPath(keywords=("none", "imagenet"))] = Field(
        min_length=1, description="none, imagenet, or a state dict in data/source/retina/models/"
    )
    frozen_blocks: int = Field(
        ge=0, le=40, description="leading blocks that are not trained (their features are stored between runs)"
    )
    pooled_blocks: list[int] = Field(
        description="blocks, from 0, whose maps' mean and standard deviation the head sees, all of them frozen; "
        "empty: the mean of the last block's maps"
    )
    head: Literal["softmax", "corn"] = Field(description="softmax over five classes, or CORN's four conditional steps")
    dropout: Float = Field(ge=0, lt=1, description="dropout probability of the pooled features in training")
    decision: Literal["likeliest", "median"] = Field(description="how a grade is chosen from the probabilities")
    views: int = Field(ge=1, le=8, description="flips and quarter turns averaged whenever the trained model grades")

    @model_validator(mode="after")
    def _frozen_only_with_weights(self) -> Self:
        if self.frozen_blocks and self.weights == "none":
            raise ValueError("frozen_blocks needs pretrained weights: untrained frozen blocks would stay random")
        if self.pooled_blocks != sorted({place for place in self.pooled_blocks if place >= 0}):
            raise ValueError(f"pooled_blocks {self.pooled_blocks} are not numbers from 0 on that rise")
        if self.pooled_blocks and self.frozen_blocks <= self.pooled_blocks[-1]:
            raise ValueError(
                f"pooled_blocks names block {self.pooled_blocks[-1]}, which is trained: set frozen_blocks to "
                f"{self.pooled_blocks[-1] + 1} or more"
            )
        return self


class Loss(Section):
    """Focal loss (Lin et al. 2017)."""

    gamma: Float = Field(ge=0, le=10, description="focusing parameter: discount of easy photographs; 0 = cross-entropy")
    label_spread: Float = Field(
        ge=0, le=3, description="softmax: grades over which a label is spread (Gaussian, sd); 0 = hard labels"
    )


class Train(TrainingSettings):
    """Training the grader."""

    subsets: ClassVar[tuple[str, ...]] = ("full", WITH_VALIDATION)

    use_class_weights: bool = Field(description="the weight stage's class weights as the focal loss's alpha")
    use_weighted_sampling: bool = Field(description="draw photographs so that all grades are equally frequent")
    network: Network = Field(description="the network")
    loss: Loss = Field(description="the loss function")
    augment: Augment = Field(description="augmentation of training photographs; with frozen blocks only flips")
    backbone_lr_factor: Float = Field(
        gt=0, le=1, description="learning rate of the backbone, relative to that of the head"
    )
    refer_sensitivity: Float = Field(
        gt=0, le=1, description="share of validation's referable photographs that the referral threshold must refer"
    )
    coverage: Float = Field(
        ge=0.5, lt=1, description="share of photographs whose true grade is to be among the possible grades told"
    )
    familiar_share: Float = Field(
        ge=0.5,
        le=1,
        description="share of each grade's validation photographs that set how unlike training is too unlike",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.network.frozen_blocks and (self.augment.rotation or self.augment.colour):
            raise ValueError("frozen_blocks keeps features of the eight flips: set augment.rotation and colour to 0")
        if self.network.head == "corn" and self.loss.label_spread:
            raise ValueError("label_spread is for the softmax head; CORN models the order itself")
        *earlier, last = (phase.subset for phase in self.curriculum)
        if WITH_VALIDATION in earlier or (last == WITH_VALIDATION and not earlier):
            raise ValueError(
                f"{WITH_VALIDATION} is for the last of several phases: temperature and threshold need others"
            )
        if last == WITH_VALIDATION and (self.select != "last" or self.early_stopping.patience):
            raise ValueError(f"{WITH_VALIDATION} leaves nothing to validate on: set select to last and patience to 0")
        return self


class Evaluate(Judging):
    batch_size: int = Field(ge=1, description="photographs per batch; affects memory only")
    feature_baseline: Literal["none", "efficientnet_lite0"] = Field(
        description="also a logistic regression on this network's ImageNet features (extra `pretrained`)"
    )
    alike_from: Float = Field(
        ge=0, le=1, description="cosine similarity from which photographs of two patients may show one eye"
    )
    explained: int = Field(ge=1, le=200, description="correct cases, and as many wrong ones, that get heat maps")
    overfit_gap: Float = Field(gt=0, le=1, description="train F1 minus validation F1 that counts as overfitting")


class Plot(Drawing):
    sheet_columns: int = Field(ge=2, le=20, description="cases per row of the sheet")


class Params(Section):
    """All of `retina`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="reading and preparing photographs, or drawing them")
    filter: Filter = Field(description="which photographs are kept")
    label: Label = Field(description="grade, referable, patient and eye")
    split: Split = Field(description="train, validation and test")
    weight: Weight = Field(description="class weights and sampling weights")
    train: Train = Field(description="the network and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the pictures")
