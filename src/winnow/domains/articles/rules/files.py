"""Labelling a file of articles by a prompt that has passed, a batch at a time."""

import json
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from winnow.domains.articles.rules.labelling import Article, Labeller, announce
from winnow.domains.articles.rules.questions import hash_of
from winnow.domains.articles.rules.rounds import has_passed
from winnow.domains.articles.source.formats import NotAnArticle, article_of, jsonl_rows
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path


def check_passed(labeller: Labeller, name: str) -> None:
    """Raise WinnowError unless this very prompt has passed calibration with this oracle."""
    prompt = hash_of(labeller.definition)
    if not has_passed(name, prompt, labeller.judged):
        raise WinnowError(
            f"the prompt of {name} ({prompt}) has not passed with the oracle {labeller.judged}; nothing was asked",
            where=f"data/source/articles/filters/{name}/prompt.md",
            fix="run `winnow articles calibrate` until it passes",
        )


def label_file(labeller: Labeller, path: Path, out: Path, *, batch_size: int, max_batches: int) -> dict[str, Any]:
    """Write each article of a JSONL file with its scores to `out`, in the guide's form; counts and what was paid.

    What it will cost is printed first. `max_batches` of 0 means all. Lines that are no article, and articles without a
    readable answer, are left out and counted. `out` is written when all is there: a run that was stopped leaves what
    stood in it, and is simply started again, since answers of an earlier run are not paid again.
    """
    wanted = max_batches * batch_size or None
    announce(labeller, map(_article, islice(_articles(path, lambda _: None), wanted)))
    counts = {"labelled": 0, "malformed": 0, "rejected": 0}

    def reject(line: str) -> None:
        counts["rejected"] += 1
        print(f"  {line}", file=sys.stderr)

    field = labeller.definition.config.analysis_field
    rows = islice(_articles(path, reject), wanted)
    with atomic_path(out) as scratch, scratch.open("w", encoding="utf-8") as target:
        while batch := list(islice(rows, batch_size)):
            for row, found in zip(batch, labeller.label_all(list(map(_article, batch))), strict=True):
                if found.scores is None:
                    counts["malformed"] += 1
                    continue
                counts["labelled"] += 1
                target.write(json.dumps({**row, field: {"dimensions": found.scores}}, ensure_ascii=False) + "\n")
            paid = labeller.use.paid_now_usd
            print(f"  {sum(counts.values())} articles, ${paid:.4f} paid now", file=sys.stderr)
    return {**counts, "cost_usd": round(labeller.use.cost_usd, 6), "paid_now_usd": round(labeller.use.paid_now_usd, 6)}


def _article(row: dict[str, Any]) -> Article:
    return Article(str(row["id"]), str(row.get("title") or ""), row["content"])


def _articles(path: Path, reject: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """The lines that are articles; the others are passed to `reject`."""
    for number, row in enumerate(jsonl_rows(path)):
        try:
            if isinstance(row, str):
                raise NotAnArticle(row)
            article_of(row, "jsonl")
        except NotAnArticle as reason:
            reject(f"row {number} is left out: {reason}")
            continue
        yield dict(row)
