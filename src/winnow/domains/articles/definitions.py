"""The terms of articles: what a filter folder says (dimensions, tiers, prefilter, prompt), and scores from it.

A *filter* is data: a folder `<name>/v<N>/` with `config.yaml`, `prefilter.yaml`, `prompt.md` and `README.md`, and maybe
`examples.jsonl`. Ingest checks it (`source/filters.py`) and passes its `config.yaml` on. What is not about the model is
read where it is used, the prefilter by the filter stage and the prompt by label, so that an edit which changes no
article and no label trains nothing anew; the gates of the calibration are params for that reason.
"""

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from pydantic import BeforeValidator, Field

from winnow.pipeline.errors import TableError
from winnow.pipeline.files import write_text
from winnow.pipeline.reading import reading
from winnow.pipeline.section import Float, Section

TOPICS = ("on", "off", "edge")
"""What an article is before any label exists: on-topic, off-topic, or between."""

VERDICTS = ("DEPLOY", "REVIEW", "FAIL")
"""What a judgement says of a model, best first."""

RATIONALE = "rationale"
"""The key of an answer's reasons, and so the name of no dimension."""

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Dimension(Section):
    """One thing that is scored."""

    name: Name = Field(description="short name, such as agency")
    description: str = Field(min_length=1, description="what a low and a high score mean; part of the prompt")
    keywords: list[str] = Field(description="words by which the oracle `rules` and the embedded data know it")


class Scale(Section):
    low: Float = Field(description="lowest score")
    high: Float = Field(description="highest score")

    @property
    def width(self) -> float:
        return self.high - self.low


class Tier(Section):
    """A band of the overall score, its lower end included."""

    name: Name = Field(description="name of the tier")
    minimum: Float = Field(description="lowest overall score of the tier")
    maximum: Float = Field(description="where the next tier begins; the scale's high end in the last one")


class Tiers(Section):
    of: list[str] = Field(min_length=1, description="dimensions whose mean is the overall score")
    bands: list[Tier] = Field(min_length=2, description="tiers from the scale's low end to its high end")


class FilterConfig(Section):
    """`config.yaml`."""

    name: Name = Field(description="name of the filter, as its folder's")
    version: int = Field(ge=1, description="version of the filter, as its folder's")
    description: str = Field(min_length=1, description="what the filter finds")
    scale: Scale = Field(description="scale of every dimension")
    dimensions: list[Dimension] = Field(min_length=1, description="what is scored")
    tiers: Tiers = Field(description="bands of the overall score")
    analysis_field: Name = Field(description="field of labelled articles that holds the scores")

    @property
    def names(self) -> list[str]:
        return [dimension.name for dimension in self.dimensions]


def _date(value: object) -> object:
    """YAML reads 2024-01-31 as a date."""
    return value.isoformat() if isinstance(value, dt.date) else value


Date = Annotated[str, BeforeValidator(_date), Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class WordRules(Section):
    words: list[str] = Field(description="whole words, whatever their case")
    patterns: list[str] = Field(description="regular expressions, whatever their case")


class SourceRules(Section):
    keep: list[str] = Field(description="sources to keep; empty: all")
    drop: list[str] = Field(description="sources to drop")


class DateRules(Section):
    first: Date | None = Field(description="earliest date of publication, YYYY-MM-DD; null: any")
    last: Date | None = Field(description="latest date of publication; null: any")


class Topic(Section):
    """What marks an article before any label exists."""

    on_topic: list[str] = Field(min_length=1, description="words of on-topic articles")
    off_topic: list[str] = Field(description="words of off-topic articles")
    enough: int = Field(ge=1, description="different on-topic words from which an article is on-topic")


class Prefilter(Section):
    """`prefilter.yaml`."""

    min_words: int = Field(ge=0, description="fewest words of title and content")
    max_words: int = Field(ge=1, description="most words of title and content")
    languages: list[Literal["en", "de", "fr", "es", "it", "nl", "pt"]] = Field(description="empty: any")
    keep: WordRules = Field(description="an article needs one of these; none given: all are kept")
    drop: WordRules = Field(description="an article with one of these is dropped")
    sources: SourceRules = Field(description="the field `source` of articles")
    dates: DateRules = Field(description="the field `published` of articles; without one an article is kept")
    topic: Topic = Field(description="on-topic, off-topic, or edge")


class Example(Section):
    """One line of `examples.jsonl`: an article with the scores that it should get, which the prompt shows."""

    title: str = Field("", description="title")
    content: str = Field(min_length=1, description="text")
    scores: dict[str, Float] = Field(description="score of every dimension")
    rationale: str = Field("", description="what decides them; shown when oracle.rationale asks for one")


class Definition(Section):
    """A whole filter."""

    config: FilterConfig
    prefilter: Prefilter
    prompt: str
    examples: list[Example]

    @property
    def names(self) -> list[str]:
        """The dimensions, in order."""
        return self.config.names


def write_config(path: Path, config: FilterConfig) -> None:
    write_text(path, config.model_dump_json(indent=1) + "\n")


def read_config(path: Path) -> FilterConfig:
    """What `write_config` wrote; raises TableError when it is missing or damaged."""
    if not path.exists():
        raise TableError(f"{path} does not exist", fix="run `dvc repro ingest@articles`")
    with reading(path, "is damaged", fix="bring it back with `dvc checkout --force ingest@articles`", error=TableError):
        return FilterConfig.model_validate_json(path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Scoring:
    """What a trained model must know of its filter: dimensions, scale and tiers."""

    dimensions: tuple[str, ...]
    low: float
    high: float
    overall: tuple[str, ...]
    """the dimensions whose mean is the overall score"""
    tiers: tuple[str, ...]
    """lowest first"""
    boundaries: tuple[float, ...]
    """where each tier but the first begins"""
    analysis_field: str


def scoring_of(config: FilterConfig) -> Scoring:
    bands = config.tiers.bands
    return Scoring(
        tuple(config.names),
        config.scale.low,
        config.scale.high,
        tuple(config.tiers.of),
        tuple(band.name for band in bands),
        tuple(band.minimum for band in bands[1:]),
        config.analysis_field,
    )


def overall_scores(scores: ArrayLike, scoring: Scoring) -> NDArray[np.float64]:
    """The overall score `(articles,)` of `(articles, dimensions)`."""
    values = np.asarray(scores, dtype=np.float64)
    return np.asarray(values[:, [scoring.dimensions.index(name) for name in scoring.overall]].mean(axis=1))


def tier_indices(overall: ArrayLike, scoring: Scoring) -> NDArray[np.int64]:
    """The index of the tier of each overall score."""
    return np.searchsorted(np.asarray(scoring.boundaries), np.asarray(overall, dtype=np.float64), side="right")


def tier_names(overall: ArrayLike, scoring: Scoring) -> list[str]:
    return [scoring.tiers[index] for index in tier_indices(overall, scoring)]


def analysis_of(values: ArrayLike, scoring: Scoring) -> dict[str, Any]:
    """Scores `(dimensions,)` of one article as its analysis field holds them, with overall score and tier."""
    scores = np.asarray(values, dtype=np.float64)
    overall = overall_scores(scores[None], scoring)
    return {
        "dimensions": {name: round(float(value), 4) for name, value in zip(scoring.dimensions, scores, strict=True)},
        "overall": round(float(overall[0]), 4),
        "tier": tier_names(overall, scoring)[0],
    }


def wide_scores(scores: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """A `Scores` table as one row per article, by article_id, with the columns `names`."""
    return scores.pivot_table(index="article_id", columns="dimension", values="score")[names].sort_index()


def article_text(title: str, content: str) -> str:
    """What the oracle and the model read of an article."""
    return f"{title}\n\n{content}" if title else content


MARKUP = str.maketrans("|`<>[]*#\\~!", "/'‹›()     ")
"""What Markdown would read in a text of somebody else's, besides underscores around words."""


def plain(text: object, characters: int) -> str:
    """The beginning of a text as one line of a page, without Markdown and control characters."""
    printable = "".join(each if each.isprintable() else " " for each in str(text).translate(MARKUP))
    line = " ".join(re.sub(r"\b_+|_+\b|(?<!\w)_+(?!\w)", " ", printable).split())
    return line if len(line) <= characters else f"{line[:characters].rstrip()} …"
