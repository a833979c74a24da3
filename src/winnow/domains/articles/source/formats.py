"""Rows as articles, some with scores. A row that is no article is rejected with a reason."""

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from winnow.domains.articles.definitions import FilterConfig
from winnow.domains.articles.source.rows import KNOWN, rows_of, with_content

SPLITS = {"train": "train", "val": "val", "validation": "val", "dev": "val", "test": "test"}
"""What sources call the splits of their own."""
DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?=$|[T ])")
COLUMNS = ("article_id", "title", "content", "source", "published", "language", "official_split", "extra")


class Listing(NamedTuple):
    """What one source holds."""

    articles: pd.DataFrame
    """the columns of `Articles`, indexed by row (from 1)"""
    scores: pd.DataFrame
    """the columns of `Scores`"""
    rejected: pd.DataFrame
    """row (from 1) and reason"""
    rows: int


class NotAnArticle(ValueError):  # noqa: N818 - a reason, not a failure
    """Why a line cannot be used."""


def read(form: str, path: Path, config: FilterConfig) -> Listing:
    """The articles of a file; raises SourceError when it cannot be read at all."""
    return collect(rows_of(form, path), form, config, scored=form == "scored")


def collect(rows: Iterable[Mapping[str, Any] | str], form: str, config: FilterConfig, *, scored: bool) -> Listing:
    """The rows as tables."""
    articles, scores, rejected = [], [], []
    numbers: list[int] = []
    columns = config.names if form == "csv" else []
    seen: dict[str, int] = {}
    count = 0
    for number, row in enumerate(rows, 1):
        count += 1
        try:
            if isinstance(row, str):
                raise NotAnArticle(row)
            article = article_of(row, form)
            own = scores_of(row, config) if scored or any(name in row for name in columns) else {}
            first = seen.setdefault(str(article["article_id"]), number)
            if first != number:
                raise NotAnArticle(f"the id {article['article_id']} is also in row {first}")
        except NotAnArticle as reason:
            rejected.append((number, str(reason)))
            continue
        numbers.append(number)
        articles.append(tuple(article[name] for name in COLUMNS))
        scores += [(article["article_id"], name, value) for name, value in own.items()]
    return Listing(
        pd.DataFrame(articles, columns=list(COLUMNS), index=numbers).astype(dict.fromkeys(COLUMNS, "str")),
        pd.DataFrame(scores, columns=["article_id", "dimension", "score"]).astype(
            {"article_id": "str", "dimension": "str", "score": "float64"}
        ),
        pd.DataFrame(rejected, columns=["row", "reason"]).astype({"row": "int64", "reason": "str"}),
        count,
    )


def article_of(row: Mapping[str, Any], form: str) -> dict[str, str | None]:
    """The columns of `Articles`; raises NotAnArticle."""
    row = with_content(row)
    name = row.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or not str(name).strip():
        raise NotAnArticle("it has no id" if name is None else f"the id is {name!r}, not text")
    content = row.get("content")
    if not isinstance(content, str) or not content.strip():
        raise NotAnArticle("it has no content" if content in (None, "") else "the content is blank, or no text")
    title = row.get("title")
    if title is None:
        title = ""
    if not isinstance(title, str):
        raise NotAnArticle(f"the title is {title!r}, not text")
    split = row.get("split")
    if split is not None and (not isinstance(split, str) or split not in SPLITS):
        raise NotAnArticle(f"the split is {split!r}; known: {', '.join(SPLITS)}")
    extra = {key: value for key, value in row.items() if key not in KNOWN}
    article = {
        "article_id": str(name),
        "title": title,
        "content": content,
        "source": str(row.get("source") or form),
        "published": _date(row.get("published")),
        "language": str(row["language"])[:2].lower() if row.get("language") else None,
        "official_split": SPLITS[split] if split is not None else None,
        "extra": json.dumps(extra, sort_keys=True, ensure_ascii=False, default=str),
    }
    try:
        "".join(filter(None, article.values())).encode()
    except UnicodeEncodeError:
        raise NotAnArticle("it holds half of a surrogate pair, which is no character") from None
    return article


def _date(published: Any) -> str | None:
    """The day of an ISO 8601 date or time; raises NotAnArticle at any other text, which rules of dates would miss."""
    if published is None or published == "":
        return None
    found = DATE.match(str(published))
    try:
        return dt.date.fromisoformat(found[0] if found else "").isoformat()
    except ValueError:
        raise NotAnArticle(f"published is {str(published)[:40]!r}, no date that begins with YYYY-MM-DD") from None


def text_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a row what is read and scored: an odd date or split keeps nothing from that."""
    return {name: each for name, each in with_content(row).items() if name in {"id", "title", "content"}}


def scores_of(row: Mapping[str, Any], config: FilterConfig) -> dict[str, float]:
    """Score of every dimension; raises NotAnArticle.

    From the analysis field, `scores`, `labels` and `dimension_names`, or columns of the dimensions' names.
    """
    analysis = row.get(config.analysis_field, row.get("scores"))
    if isinstance(analysis, Mapping):
        found = analysis.get("dimensions", analysis)
    elif isinstance(row.get("labels"), list) and isinstance(row.get("dimension_names"), list):
        if len(row["labels"]) != len(row["dimension_names"]):
            raise NotAnArticle(f"{len(row['labels'])} labels for {len(row['dimension_names'])} dimension_names")
        found = dict(zip(map(str, row["dimension_names"]), row["labels"], strict=True))
    elif any(name in row for name in config.names):
        found = row
    else:
        raise NotAnArticle(f"it has neither {config.analysis_field} nor scores nor labels with dimension_names")
    if not isinstance(found, Mapping):
        raise NotAnArticle(f"{config.analysis_field}.dimensions is no object")
    return {name: checked_score(name, found.get(name), config) for name in config.names}


def own_scores(row: Mapping[str, Any]) -> dict[str, float]:
    """The scores of a row by the names that it gives them, whatever the filter; empty when it has none."""
    named = [value for name, value in row.items() if name == "scores" and isinstance(value, Mapping)]
    inner = (value.get("dimensions") for value in row.values() if isinstance(value, Mapping))
    found: Mapping[str, Any] = next((each for each in [*inner, *named] if isinstance(each, Mapping)), {})
    labels, names = row.get("labels"), row.get("dimension_names")
    if not found and isinstance(labels, list) and isinstance(names, list) and len(labels) == len(names):
        found = dict(zip(map(str, names), labels, strict=True))
    if not found:  # columns
        found = {name: value for name, value in row.items() if name not in KNOWN and type(value) is float}
    plain = {name: each.get("score") if isinstance(each, Mapping) else each for name, each in found.items()}
    numbers = {name: value for name, value in plain.items() if isinstance(value, int | float)}
    return {str(name): float(value) for name, value in numbers.items() if not isinstance(value, bool)}


def checked_score(name: str, value: Any, config: FilterConfig) -> float:
    """A score on the scale; raises NotAnArticle."""
    if isinstance(value, Mapping):  # {"score": 7, "reasoning": …}
        value = value.get("score")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotAnArticle(f"{name} has no score" if value is None else f"the score of {name} is {value!r}")
    if not config.scale.low <= value <= config.scale.high:
        raise NotAnArticle(f"{name} is {value}, outside {config.scale.low:g} to {config.scale.high:g}")
    return float(value)
