"""The tables between the retina stages. One row per photograph unless the name says otherwise."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.curate.split_names import SPLITS
from winnow.domains.retina import definitions
from winnow.pipeline.tables import Table


class Photos(Table):
    """What is known of a photograph besides its pixels."""

    image_id: Series[str] = pa.Field(unique=True, description="<source>/<name>")
    source: Series[str] = pa.Field(description="format it came in")
    name: Series[str] = pa.Field(description="as the source names it, such as 10_left")
    grade: Series[pd.Int64Dtype] = pa.Field(nullable=True, description="as the source gives it, possible or not")
    official_split: Series[str] = pa.Field(nullable=True, isin=SPLITS, description="where the source has a split")
    patient: Series[str] = pa.Field(nullable=True, description="where the source has a column of patients")
    eye: Series[str] = pa.Field(nullable=True, isin=definitions.EYES, description="where it has a column of eyes")
    width: Series[int] = pa.Field(ge=1, description="pixels of the source's file")
    height: Series[int] = pa.Field(ge=1)
    brightness: Series[float] = pa.Field(ge=0, le=255, description="mean over the retina")
    sharpness: Series[float] = pa.Field(
        ge=0, description="variance of the Laplacian at 128 pixels, brightness-free, thousandths"
    )
    retina_share: Series[float] = pa.Field(ge=0, le=1, description="of the square photograph")
    red: Series[float] = pa.Field(ge=0, le=255)
    green: Series[float] = pa.Field(ge=0, le=255)
    blue: Series[float] = pa.Field(ge=0, le=255)
    perceptual_hash: Series[str] = pa.Field(str_length=64)


class Preparation(Table):
    """One row: how ingest prepared the photographs, as `definitions.Preparation`."""

    image_size: Series[int] = pa.Field(ge=1, description="pixels a side of the square photographs")
    crop: Series[bool]
    contrast: Series[bool]


class QualityLimits(Table):
    """One row: the limits that the filter applied, as `definitions.QualityLimits`."""

    min_brightness: Series[float]
    max_brightness: Series[float]
    min_retina_share: Series[float] = pa.Field(ge=0, le=1)
    min_sharpness: Series[float]
    max_hash_distance: Series[int]


class Seen(Table):
    """The photographs that a model was trained or validated on, kept in its folder: nothing that names a patient."""

    perceptual_hash: Series[str] = pa.Field(str_length=64, unique=True)
    patient: Series[str] = pa.Field(nullable=True, str_length=64, description="SHA-256, where name or source gives it")
    split: Series[str] = pa.Field(isin=("train", "val"))
    grade: Series[int] = pa.Field(isin=definitions.GRADES)
    width: Series[int] = pa.Field(ge=1)
    height: Series[int] = pa.Field(ge=1)
    brightness: Series[float] = pa.Field(ge=0, le=255)
    red: Series[float] = pa.Field(ge=0, le=255)
    green: Series[float] = pa.Field(ge=0, le=255)
    blue: Series[float] = pa.Field(ge=0, le=255)


class Rejected(tables.Rejected):
    name: Series[str] = pa.Field(description="of the photograph, as the source gives it")


class Kept(Photos):
    """A photograph that passed every rule."""

    duplicate_group: Series[str] = pa.Field(description="image_id of the first that shows the same")


class Dropped(tables.Dropped):
    image_id: Series[str] = pa.Field(unique=True)


class Duplicates(Table):
    """One row per photograph that shows the same as another one."""

    duplicate_group: Series[str]
    image_id: Series[str] = pa.Field(unique=True)
    grade: Series[pd.Int64Dtype] = pa.Field(nullable=True)
    grades_agree: Series[bool] = pa.Field(description="within the group")
    kept: Series[bool]


class Labels(Table):
    image_id: Series[str] = pa.Field(unique=True)
    grade: Series[int] = pa.Field(isin=definitions.GRADES)
    referable: Series[bool]
    patient: Series[str] = pa.Field(description="both eyes have the same")
    eye: Series[str] = pa.Field(isin=definitions.EYES)
    duplicate_group: Series[str]
    official_split: Series[str] = pa.Field(nullable=True, isin=SPLITS)


class Ungraded(Table):
    """Photographs that cannot be labelled."""

    image_id: Series[str] = pa.Field(unique=True)
    reason: Series[str]


class Splits(Table):
    image_id: Series[str] = pa.Field(unique=True)
    group: Series[str] = pa.Field(description="patients and duplicate groups that are connected")
    split: Series[str] = pa.Field(isin=SPLITS)


class Weights(Table):
    """Training photographs only."""

    image_id: Series[str] = pa.Field(unique=True)
    weight: Series[float] = pa.Field(gt=0, description="chance to be drawn under weighted sampling; mean 1")


class ClassWeights(Table):
    """One row per grade."""

    grade: Series[int] = pa.Field(unique=True, isin=definitions.GRADES)
    samples: Series[int] = pa.Field(ge=0, description="training photographs")
    balanced: Series[float] = pa.Field(ge=0, description="samples / (classes × samples of the class); 0 without any")
    uncut: Series[float] = pa.Field(ge=0, description="by the chosen method; the mean over photographs is 1")
    weight: Series[float] = pa.Field(ge=0, description="as the loss uses it")


class Judged(Table):
    """Photographs as a model grades them: calibrated probabilities and what follows from them."""

    image_id: Series[str]
    predicted: Series[int] = pa.Field(isin=definitions.GRADES)
    referred: Series[bool] = pa.Field(description="the chance of grade 2 or more reaches the model's threshold")
    raw_confidence: Series[float] = pa.Field(ge=0, le=1, description="highest probability before calibration")
    p0: Series[float] = pa.Field(ge=0, le=1)
    p1: Series[float] = pa.Field(ge=0, le=1)
    p2: Series[float] = pa.Field(ge=0, le=1)
    p3: Series[float] = pa.Field(ge=0, le=1)
    p4: Series[float] = pa.Field(ge=0, le=1)


class Predictions(Judged):
    """Photographs of all splits; those of training and validation as graded before a last phase `with_validation`."""

    image_id: Series[str] = pa.Field(unique=True)
    patient: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    grade: Series[int] = pa.Field(isin=definitions.GRADES)


class BaselinePredictions(Judged):
    """The test photographs, as each simple model grades them; one row per baseline and photograph."""

    baseline: Series[str]


class PerClass(Table):
    """How well each grade is recognised in each split."""

    split: Series[str] = pa.Field(isin=SPLITS)
    grade: Series[int] = pa.Field(isin=definitions.GRADES)
    samples: Series[int] = pa.Field(ge=0)
    precision: Series[float] = pa.Field(ge=0, le=1)
    recall: Series[float] = pa.Field(ge=0, le=1)
    f1: Series[float] = pa.Field(ge=0, le=1)
    f1_low: Series[float] = pa.Field(nullable=True, ge=0, le=1, description="interval, in the test split")
    f1_high: Series[float] = pa.Field(nullable=True, ge=0, le=1)


class Rocs(Table):
    """Points of each grade's ROC curve, one against the rest, in the test split."""

    grade: Series[int] = pa.Field(isin=definitions.GRADES)
    false_positive_rate: Series[float] = pa.Field(ge=0, le=1)
    recall: Series[float] = pa.Field(ge=0, le=1)


class Explained(Table):
    """Test photographs with the heat map of what speaks for their predicted grade."""

    image_id: Series[str] = pa.Field(unique=True)
    grade: Series[int] = pa.Field(isin=definitions.GRADES)
    predicted: Series[int] = pa.Field(isin=definitions.GRADES)
    probability: Series[float] = pa.Field(ge=0, le=1, description="of the predicted grade")
    png: Series[object] = pa.Field(description="the prepared photograph")
    heat: Series[object] = pa.Field(description="grey PNG of the same size, 255 where it matters most")


class Alike(Table):
    """Pairs of photographs, of different patients, that may show one eye."""

    image_id: Series[str]
    patient: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    image_id_other: Series[str]
    patient_other: Series[str]
    split_other: Series[str] = pa.Field(isin=SPLITS)
    similarity: Series[float] = pa.Field(ge=-1, le=1 + 1e-9, description="cosine of their maps after the first block")
