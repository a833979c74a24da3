"""The tables between the documents stages. One row per page, or copy of a page, unless the name says otherwise."""

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.curate.split_names import SPLITS
from winnow.domains.documents import definitions
from winnow.domains.documents.rules.measures import NAMES
from winnow.pipeline.tables import Table

CLASSES = range(len(definitions.CLASSES))


class Pages(Table):
    """What is known of a page besides its pixels."""

    image_id: Series[str] = pa.Field(unique=True, description="<source>/<name>, of a PDF with #<page>")
    source: Series[str] = pa.Field(description="format it came in")
    name: Series[str] = pa.Field(description="of the file, without suffix")
    document: Series[str] = pa.Field(description="pages of one document have the same")
    score: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="as the source gives it")
    label: Series[pd.Int64Dtype] = pa.Field(nullable=True, isin=CLASSES, description="number of the class, if given")
    issues: Series[str] = pa.Field(nullable=True, description="flagged issues, joined by `;`; missing where not given")
    width: Series[int] = pa.Field(ge=1, description="pixels of the stored page")
    height: Series[int] = pa.Field(ge=1)
    contrast: Series[float] = pa.Field(description="grey levels between the darkest thousandth and the median")
    ink_share: Series[float] = pa.Field(ge=0, le=1)
    perceptual_hash: Series[str] = pa.Field(str_length=64)
    print_map: Series[str] = pa.Field(description="where its print is, see `images.alike`; hexadecimal")
    page: Series[str] = pa.Field(nullable=True, description="the clean page it shows, if the source says it")
    official_split: Series[str] = pa.Field(nullable=True, isin=SPLITS, description="where the source has a split")
    readability: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="by an OCR, if the source says it")


class GivenSeverities(Table):
    """Severities that labelled pages bring; one row per page and issue."""

    image_id: Series[str]
    issue: Series[str] = pa.Field(isin=definitions.ISSUES)
    severity: Series[float] = pa.Field(ge=0, le=1)


class Preparation(Table):
    """One row: how ingest prepared the pages, as `definitions.Preparation`."""

    max_side: Series[int] = pa.Field(ge=1)
    pdf_dpi: Series[int] = pa.Field(ge=1)


class Repetition(Table):
    """One row: which pages the filter took for alike."""

    max_hash_distance: Series[int] = pa.Field(ge=0, description="bits of 256 by which their hashes may differ")


class Seen(Table):
    """The pages that a model was trained or validated on, or on copies of them; kept in its folder."""

    perceptual_hash: Series[str] = pa.Field(str_length=64)
    print_map: Series[str] = pa.Field(description="as in `Pages`")
    max_hash_distance: Series[int] = pa.Field(ge=0, description="as in `Repetition`")


class Rejected(tables.Rejected):
    name: Series[str] = pa.Field(description="of the page, as the source gives it")


class Dropped(tables.Dropped):
    image_id: Series[str] = pa.Field(unique=True)


class Labels(Table):
    """One row per image with labels: a degraded copy of a clean page, or a page with labels."""

    image_id: Series[str] = pa.Field(unique=True, description="<page>@<copy>, or the page's own")
    page: Series[str] = pa.Field(description="the clean page it was made of, or the first page that shows the same")
    document: Series[str]
    score: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="missing where only issues are known")
    label: Series[pd.Int64Dtype] = pa.Field(nullable=True, isin=CLASSES, description="number of the class; as score")
    issues: Series[str] = pa.Field(nullable=True, description="flagged issues, joined by `;`; missing where not known")
    augmentations: Series[str] = pa.Field(description="harmless effects, joined by `;`")
    official_split: Series[str] = pa.Field(nullable=True, isin=SPLITS)
    readability: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="by an OCR; missing where not read")


class Severities(Table):
    """One row per image and issue."""

    image_id: Series[str]
    issue: Series[str] = pa.Field(isin=definitions.ISSUES)
    severity: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="missing where only a flag is known")
    flagged: Series[pd.Int64Dtype] = pa.Field(nullable=True, isin=(0, 1), description="missing where not known")


class Measures(Table):
    """One row per image; a column for each of `rules.measures`."""

    image_id: Series[str] = pa.Field(unique=True)
    __annotations__ |= dict.fromkeys(NAMES, Series[np.float32])


class Splits(Table):
    image_id: Series[str] = pa.Field(unique=True)
    document: Series[str] = pa.Field(description="never in two splits")
    split: Series[str] = pa.Field(isin=SPLITS)


class ClassWeights(Table):
    """One row per class."""

    label: Series[int] = pa.Field(unique=True, isin=CLASSES)
    name: Series[str] = pa.Field(isin=definitions.CLASSES)
    samples: Series[int] = pa.Field(ge=0, description="training images")
    weight: Series[float] = pa.Field(ge=0, description="samples / (classes × samples of the class); 0 without any")


class Predictions(Table):
    """Images of the validation and test splits, as the model judges them."""

    image_id: Series[str] = pa.Field(unique=True)
    document: Series[str]
    split: Series[str] = pa.Field(isin=("val", "test"))
    true_score: Series[float] = pa.Field(ge=0, le=1)
    true_label: Series[int] = pa.Field(isin=CLASSES)
    score: Series[float] = pa.Field(ge=0, le=1)
    label: Series[int] = pa.Field(isin=CLASSES, description="the predicted class: that of the score")
    verdict: Series[str] = pa.Field(isin=definitions.VERDICTS)
    rejected: Series[bool] = pa.Field(description="the score is below the threshold of the verdict retake")
    true_legibility: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    legibility: Series[float] = pa.Field(ge=0, le=1)
    framing: Series[float] = pa.Field(ge=0, le=1)
    true_readability: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    readability: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="missing where nothing was read")
    p_high: Series[float] = pa.Field(ge=0, le=1, description="calibrated probabilities of the classes")
    p_good: Series[float] = pa.Field(ge=0, le=1)
    p_moderate: Series[float] = pa.Field(ge=0, le=1)
    p_poor: Series[float] = pa.Field(ge=0, le=1)
    p_very_poor: Series[float] = pa.Field(ge=0, le=1)
    severity_blur: Series[float] = pa.Field(ge=0, le=1)
    severity_noise: Series[float] = pa.Field(ge=0, le=1)
    severity_low_contrast: Series[float] = pa.Field(ge=0, le=1)
    severity_uneven_illumination: Series[float] = pa.Field(ge=0, le=1)
    severity_skew: Series[float] = pa.Field(ge=0, le=1)
    severity_compression: Series[float] = pa.Field(ge=0, le=1)
    severity_low_resolution: Series[float] = pa.Field(ge=0, le=1)
    severity_stains_or_ink: Series[float] = pa.Field(ge=0, le=1)
    severity_cropped: Series[float] = pa.Field(ge=0, le=1)
    severity_glare: Series[float] = pa.Field(ge=0, le=1)
    flag_blur: Series[float] = pa.Field(nullable=True, isin=[0, 1], description="whether the issue is really there")
    flag_noise: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_low_contrast: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_uneven_illumination: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_skew: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_compression: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_low_resolution: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_stains_or_ink: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_cropped: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_glare: Series[float] = pa.Field(nullable=True, isin=[0, 1])
    flag_from: Series[float] = pa.Field(ge=0, le=1, description="severity from which an issue counts as found")


class BaselinePredictions(Table):
    """The test images, as each simple model judges them; one row per baseline and image."""

    baseline: Series[str]
    image_id: Series[str]
    score: Series[float] = pa.Field(ge=0, le=1)
    rejected: Series[bool] = pa.Field(description="the score is below the baseline's own threshold")
    p_high: Series[float] = pa.Field(ge=0, le=1)
    p_good: Series[float] = pa.Field(ge=0, le=1)
    p_moderate: Series[float] = pa.Field(ge=0, le=1)
    p_poor: Series[float] = pa.Field(ge=0, le=1)
    p_very_poor: Series[float] = pa.Field(ge=0, le=1)


class PerIssue(Table):
    """How well each issue is found in the test split."""

    issue: Series[str] = pa.Field(unique=True, isin=definitions.ISSUES)
    samples: Series[int] = pa.Field(ge=0, description="images in which it is flagged")
    recall: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    average_precision: Series[float] = pa.Field(nullable=True, ge=0, le=1)
    severity_error: Series[float] = pa.Field(nullable=True, ge=0, description="mean absolute error of the severity")


class Thresholds(Table):
    """What each retake threshold would do in the validation split."""

    threshold: Series[float] = pa.Field(ge=0, le=1)
    false_rejects: Series[float] = pa.Field(ge=0, le=1, description="share of acceptable pages that are rejected")
    found: Series[float] = pa.Field(ge=0, le=1, description="share of unacceptable pages that are rejected")
    chosen: Series[bool] = pa.Field(description="the one that the model uses")


class Explained(Table):
    """Test images with the largest errors, and the heat map of what lowers their score."""

    image_id: Series[str] = pa.Field(unique=True)
    true_score: Series[float] = pa.Field(ge=0, le=1)
    score: Series[float] = pa.Field(ge=0, le=1)
    found: Series[str] = pa.Field(description="predicted severities of the worst issues")
    truth: Series[str] = pa.Field(description="true severities of the worst issues")
    png: Series[object] = pa.Field(description="the page, reduced")
    heat: Series[object] = pa.Field(description="grey PNG of the same size, 255 where it lowers the score most")
