"""The tables between the articles stages. One row per article unless the name says otherwise."""

import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.curate.split_names import SPLITS
from winnow.domains.articles import definitions
from winnow.pipeline.tables import Table


class Articles(Table):
    article_id: Series[str] = pa.Field(unique=True)
    title: Series[str]
    content: Series[str]
    source: Series[str] = pa.Field(description="the article's field `source`; else its file's format")
    published: Series[str] = pa.Field(nullable=True, description="YYYY-MM-DD")
    language: Series[str] = pa.Field(nullable=True, description="where the source names it")
    official_split: Series[str] = pa.Field(nullable=True, isin=SPLITS, description="where the source has a split")
    extra: Series[str] = pa.Field(description="all other fields of the source, as a JSON object")


class Scores(Table):
    """One row per article and dimension."""

    article_id: Series[str]
    dimension: Series[str]
    score: Series[float]


class Rejected(tables.Rejected):
    """Lines that are no article."""


class Kept(Table):
    """Articles that passed the prefilter."""

    article_id: Series[str] = pa.Field(unique=True)
    topic: Series[str] = pa.Field(isin=definitions.TOPICS)
    words: Series[int] = pa.Field(ge=0)
    duplicate_group: Series[str] = pa.Field(description="article_id of the first that says nearly the same")


class Dropped(tables.Dropped):
    article_id: Series[str] = pa.Field(unique=True)


class Labels(Table):
    """Labelled articles; their scores are a `Scores` table."""

    article_id: Series[str] = pa.Field(unique=True)
    origin: Series[str] = pa.Field(isin=("oracle", "source"), description="who gave the scores")
    overall: Series[float]
    tier: Series[str]
    words: Series[int] = pa.Field(ge=0)
    source: Series[str]
    duplicate_group: Series[str]
    official_split: Series[str] = pa.Field(nullable=True, isin=SPLITS)


class Repeats(Table):
    """The calibration articles that were asked about twice: one row per article and dimension."""

    article_id: Series[str]
    dimension: Series[str]
    first: Series[float] = pa.Field(description="score of the first time")
    second: Series[float] = pa.Field(description="score when the same was asked again")


class Unlabelled(Table):
    article_id: Series[str] = pa.Field(unique=True)
    reason: Series[str]
    answer: Series[str] = pa.Field(description="beginning of the last malformed answer; empty where there is none")


class OracleUse(Table):
    """One row: what labelling took, from what is known of every answer, whether it was paid in this run or before."""

    provider: Series[str]
    model: Series[str]
    requests: Series[int] = pa.Field(ge=0)
    malformed: Series[int] = pa.Field(ge=0, description="answers that broke the schema; paid as well")
    estimated: Series[int] = pa.Field(ge=0, description="answers whose tokens the server did not count")
    prompt_tokens: Series[int] = pa.Field(ge=0)
    cached_tokens: Series[int] = pa.Field(ge=0, description="those of the prompt that the server had in its cache")
    completion_tokens: Series[int] = pa.Field(ge=0)
    thinking_tokens: Series[int] = pa.Field(ge=0)
    cost_usd: Series[float] = pa.Field(ge=0)


class Splits(Table):
    article_id: Series[str] = pa.Field(unique=True)
    group: Series[str] = pa.Field(description="near-duplicates, and articles of one source if so chosen")
    stratum: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)


class Weights(Table):
    """Training articles only."""

    article_id: Series[str] = pa.Field(unique=True)
    weight: Series[float] = pa.Field(gt=0, description="how often it is drawn; mean 1")


class Predictions(Table):
    """One row per article and dimension: all validation and test articles, and a sample of the training articles."""

    article_id: Series[str]
    split: Series[str] = pa.Field(isin=SPLITS)
    group: Series[str]
    words: Series[int] = pa.Field(ge=0)
    tier: Series[int] = pa.Field(ge=0, description="of the true scores, as a number from the lowest")
    predicted_tier: Series[int] = pa.Field(ge=0)
    tiers: Series[int] = pa.Field(ge=1, description="how many there are")
    dimension: Series[str]
    true: Series[float]
    predicted: Series[float]
    mean: Series[float] = pa.Field(description="of the training articles: what the mean predictor says")


class BaselinePredictions(Table):
    """One row per baseline, test article and dimension."""

    baseline: Series[str]
    article_id: Series[str]
    dimension: Series[str]
    predicted: Series[float]


class PerDimension(Table):
    """How well each dimension is predicted in the test split."""

    dimension: Series[str] = pa.Field(unique=True)
    mae: Series[float] = pa.Field(ge=0)
    rmse: Series[float] = pa.Field(ge=0)
    pearson: Series[float] = pa.Field(nullable=True, description="missing where either is constant")
    spearman: Series[float] = pa.Field(nullable=True)
    within_one: Series[float] = pa.Field(ge=0, le=1, description="share of predictions within 1 point")
    mean_mae: Series[float] = pa.Field(ge=0, description="of the mean predictor")
    skill: Series[float] = pa.Field(nullable=True, description="1 - mae / mean_mae; missing where scores are constant")
    skill_low: Series[float] = pa.Field(nullable=True)
    skill_high: Series[float] = pa.Field(nullable=True)


class Ceiling(Table):
    """How well each dimension can be predicted: the model's error beside those of its teacher, in points."""

    dimension: Series[str] = pa.Field(unique=True)
    mae: Series[float] = pa.Field(ge=0, description="of the model, from the labels of test articles")
    repeats: Series[int] = pa.Field(ge=0, description="articles that the oracle was asked about twice")
    repeat_mae: Series[float] = pa.Field(nullable=True, description="mean difference of the oracle's two answers")
    people: Series[int] = pa.Field(ge=0, description="test articles that the oracle and people scored")
    oracle_people_mae: Series[float] = pa.Field(nullable=True, description="of the oracle from people")
    model_people_mae: Series[float] = pa.Field(nullable=True, description="of the model from people, on the same ones")


class Worst(Table):
    """The test articles with the largest mean error."""

    article_id: Series[str] = pa.Field(unique=True)
    title: Series[str]
    error: Series[float] = pa.Field(ge=0, description="mean absolute error over the dimensions")
    true_overall: Series[float]
    predicted_overall: Series[float]
