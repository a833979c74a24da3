"""The guide's files: labelled articles, and the three splits, as JSONL."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from winnow.domains.articles.definitions import FilterConfig, read_config, wide_scores
from winnow.domains.articles.tables import Articles, Labels, Scores, Splits
from winnow.pipeline.files import write_text
from winnow.pipeline.tables import read_table

DATA = Path("data", "articles")


def labelled() -> tuple[FilterConfig, pd.DataFrame]:
    """The filter's config; the labelled articles' source fields and one column a dimension, by article_id."""
    config = read_config(DATA / "ingest" / "config.json")
    scores = wide_scores(read_table(DATA / "label" / "scores.parquet", Scores), config.names)
    articles = read_table(DATA / "ingest" / "articles.parquet", Articles).set_index("article_id")
    labels = read_table(DATA / "label" / "labels.parquet", Labels).set_index("article_id")
    return config, articles.loc[labels.index].join(scores).sort_index().reset_index()


def export_label(out: Path) -> list[Path]:
    """`labelled_articles.jsonl`: the source's fields and `<analysis field>: {dimensions: {name: score}}`."""
    config, rows = labelled()
    lines = [
        {
            **_source(row),
            config.analysis_field: {"dimensions": {name: row[name] for name in config.names}},
        }
        for row in rows.to_dict("records")
    ]
    return [_write(out / "labelled_articles.jsonl", lines)]


def export_split(out: Path) -> list[Path]:
    """`train.jsonl`, `val.jsonl` and `test.jsonl`: id, title, content, labels, dimension_names, source, split, …"""
    config, rows = labelled()
    splits = read_table(DATA / "split" / "splits.parquet", Splits).set_index("article_id")["split"]
    split = rows["article_id"].map(splits)
    return [
        _write(
            out / f"{name}.jsonl",
            [
                {
                    "id": row["article_id"],
                    "title": row["title"],
                    "content": row["content"],
                    "labels": [row[each] for each in config.names],
                    "dimension_names": config.names,
                    **_about(row),
                    "split": name,
                }
                for row in rows[split == name].to_dict("records")
            ],
        )
        for name in ("train", "val", "test")
    ]


def _source(row: Mapping[Any, Any]) -> dict[str, Any]:
    known = {"id": row["article_id"], "title": row["title"], "content": row["content"], **_about(row)}
    split = {"split": row["official_split"]} if isinstance(row["official_split"], str) else {}
    return {**json.loads(row["extra"]), **known, **split}


def _about(row: Mapping[Any, Any]) -> dict[str, str]:
    """Where an article is from, when and in which language, as far as its source says so."""
    return {name: row[name] for name in ("source", "published", "language") if isinstance(row[name], str)}


def _write(path: Path, rows: list[dict[str, Any]]) -> Path:
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


EXPORTS: dict[str, Callable[[Path], list[Path]]] = {"split": export_split, "label": export_label}
"""The stages that `winnow export articles` exports."""

FORMAT = "jsonl"
"""The format of the files."""
