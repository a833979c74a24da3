"""The section `documents` of params.yaml."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from winnow.curate.settings import SourceFiles, SourcePath, StratifiedSplit
from winnow.judge.settings import Judging
from winnow.learn.settings import TrainingSettings
from winnow.pipeline.section import Float, ModelPath, Section
from winnow.show.settings import Drawing
from winnow.vision.settings import BackboneName


class Common(Section):
    """What several stages share."""

    max_side: int = Field(
        ge=128, le=10_000, description="longer side of an A4 page, in pixels; larger pages are reduced"
    )
    flag_from: Float = Field(gt=0, lt=1, description="severity from which an issue is flagged")


class Source(SourcePath):
    """One collection of the user's pages."""

    format: Literal["clean_pages", "labelled"] = Field(description="clean pages to be degraded, or pages with labels")
    path: str = Field(min_length=1, description="data/source/documents/…: a folder of pages; labelled: or its CSV")


class Synthetic(Section):
    """The embedded data, drawn when no source is named."""

    pages: int = Field(ge=10, le=100_000, description="number of clean pages")
    width: int = Field(ge=200, le=3000, description="width of a page, in pixels; its height is 1.4 times that")
    blank_share: Float = Field(ge=0, le=0.5, description="share of pages without content")
    duplicate_share: Float = Field(ge=0, le=0.5, description="share of pages that show the same as an earlier one")


class Ingest(SourceFiles[Source]):
    """Where the pages come from."""

    pdf_dpi: int = Field(
        ge=30, le=600, description="resolution at which PDF pages without a scan are rendered, in dots per inch"
    )
    synthetic: Synthetic = Field(description="the embedded data")


class Enough(Section):
    """When to warn of too little or too uneven data."""

    min_class_samples: int = Field(ge=0, description="warn of a class with fewer samples")
    max_imbalance: Float = Field(ge=1, description="warn when the largest class is this many times the smallest")
    min_train_samples: int = Field(ge=0, description="warn of fewer training samples")


class Filter(Enough):
    """Which pages are kept; the limits are for pages that bring labels."""

    min_contrast: Float = Field(ge=0, le=255, description="grey levels between ink and paper; below it is unreadable")
    min_ink_share: Float = Field(ge=0, le=1, description="share of dark pixels below which a page is blank")
    max_hash_distance: int = Field(ge=0, le=64, description="bits of 256 by which the hashes of duplicates may differ")


class Label(Section):
    """How clean pages are degraded; pages with labels keep theirs."""

    copies: int = Field(ge=1, le=1000, description="degraded copies of each clean page")
    clean_share: Float = Field(ge=0, le=1, description="share of the copies that get no issue")
    max_issues: int = Field(ge=1, le=10, description="a degraded copy has one to this many issues")
    jitter: Float = Field(ge=0, le=0.1, description="standard deviation of scores around the centre of their class")
    augmentation_share: Float = Field(
        ge=0,
        le=1,
        description="share of copies, of each class alike, with harmless effects of transport: stamps, folds, …",
    )
    read_copies: int = Field(
        ge=0, description="copies of each clean page that an OCR reads, for the readability; needs the extra `ocr`"
    )
    quality: int = Field(ge=50, le=100, description="JPEG quality at which copies are stored")


class Split(StratifiedSplit):
    """Strata are classes; a group is a document with all copies of its pages."""

    keep_official: bool = Field(description="keep a source's own split where it has one")


class Weight(Enough):
    """The weight of each class in the loss; the limits are for all training images."""


class Patches(Section):
    """The parts of a page that the network sees at the page's own resolution."""

    count: int = Field(ge=1, le=64, description="patches of a page")
    size: int = Field(ge=32, le=1024, description="side of a patch, in pixels")
    choice: Literal["inked", "grid"] = Field(description="inked: where most edges are; grid: evenly over the page")


class Network(Section):
    """The network."""

    backbone: BackboneName = Field(description="the feature extractor of patches and views")
    weights: Annotated[str, ModelPath(keywords=("none", "imagenet"))] = Field(
        min_length=1, description="none, imagenet, or a state dict in data/source/documents/models/"
    )
    depths: int = Field(
        ge=1, le=7, description="depths of the backbone, from its front, whose features are used, if it has so many"
    )
    frozen_blocks: int = Field(
        ge=0, le=40, description="leading blocks that are not trained; all of them: their features are stored"
    )
    hidden_dim: int = Field(ge=8, le=4096, description="width of the hidden layers")
    dropout_rate: Float = Field(ge=0, lt=1, description="dropout probability of the hidden layers in training")
    use_attention: bool = Field(description="attention pooling over patches, beside their mean and maximum")
    patches: Patches = Field(description="native patches")
    views: list[Annotated[int, Field(ge=32, le=2048)]] = Field(
        max_length=4, description="sides of square pictures of the whole page, in pixels; may be empty"
    )
    tta_views: int = Field(ge=1, le=4, description="test-time augmentation: mirrored pages averaged; 1 = off")

    @model_validator(mode="after")
    def _frozen_only_with_weights(self) -> Self:
        if self.frozen_blocks and self.weights == "none":
            raise ValueError("frozen_blocks needs pretrained weights: untrained frozen blocks would stay random")
        return self


class Loss(Section):
    """The sum of six losses."""

    regression: Float = Field(ge=0, description="weight of the score's loss")
    legibility: Float = Field(ge=0, description="weight of the legibility's loss; for pages whose severities are known")
    readability: Float = Field(ge=0, description="weight of the readability's loss; for pages that an OCR has read")
    classification: Float = Field(ge=0, description="weight of the class's loss")
    issues: Float = Field(ge=0, description="weight of the severities' loss")
    consistency: Float = Field(ge=0, description="weight of the squared difference of score and expected class")
    use_focal: bool = Field(description="focal loss of the class in place of cross-entropy")
    focal_gamma: Float = Field(ge=0, le=10, description="focal loss: discount of easy pages")
    use_ordinal: bool = Field(description="also a loss of each step of the class scale")


class Augment(Section):
    """Mixing training pages; a batch is mixed in one of the two ways, drawn at random."""

    mixup_alpha: Float = Field(ge=0, le=10, description="mixup: Beta parameter of the shares of two pages; 0 = off")
    cutmix_alpha: Float = Field(ge=0, le=10, description="cutmix of patches: Beta parameter of the shares; 0 = off")


class Retake(Section):
    """When a page is to be taken again, warned about, or accepted."""

    max_false_rejects: Float = Field(
        gt=0, lt=1, description="share of acceptable validation pages that the retake threshold may reject"
    )
    accept_from: Float = Field(ge=0, le=1, description="score below which a page is not accepted without a warning")
    warn_severity: Float = Field(ge=0, le=1, description="severity from which a single issue is warned about")
    min_text_height: Float = Field(
        ge=0, le=100, description="pixels of the capital letters below which text is too small; 0 = never"
    )
    blank_below: Float = Field(ge=0, le=1, description="share of printed pixels below which a page is blank")


class Train(TrainingSettings):
    """Training the assessor."""

    subsets: ClassVar[tuple[str, ...]] = ("all", "easy")

    use_class_weights: bool = Field(description="the weight stage's class weights in the class's loss")
    use_balanced_sampling: bool = Field(description="draw pages so that every batch holds all classes alike")
    network: Network = Field(description="the network")
    loss: Loss = Field(description="the loss function")
    augment: Augment = Field(description="augmentation of training pages")
    retake: Retake = Field(description="the verdict")
    backbone_lr_factor: Float = Field(gt=0, le=1, description="learning rate of the backbone, relative to the heads'")


class Evaluate(Judging):
    batch_size: int = Field(ge=1, description="pages per batch; affects memory only")
    tree_rounds: int = Field(ge=1, le=10_000, description="trees of the baseline at most; validation chooses how many")
    compare_views: int = Field(
        ge=1, le=4, description="test-time augmentation of so many mirrored views is judged beside the model's own"
    )
    explained: int = Field(ge=1, le=100, description="test pages, the worst errors, that get heat maps")


class Plot(Drawing):
    sheet_columns: int = Field(ge=1, le=20, description="pages per row of the sheets")


class Params(Section):
    """All of `documents`."""

    common: Common = Field(description="what several stages share")
    ingest: Ingest = Field(description="reading pages, or drawing them")
    filter: Filter = Field(description="which pages are kept")
    label: Label = Field(description="degraded copies with their severities, score and class")
    split: Split = Field(description="train, validation and test")
    weight: Weight = Field(description="class weights, and warnings about too little data")
    train: Train = Field(description="the network and its training")
    evaluate: Evaluate = Field(description="how the model is judged")
    plot: Plot = Field(description="the pictures")
