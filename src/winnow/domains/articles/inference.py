"""What a user does with the trained scorer: score files of any size, a block at a time."""

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from winnow.domains.articles.definitions import Scoring, article_text, overall_scores, tier_names
from winnow.domains.articles.model.scoring import TrainedScorer, load_scorer
from winnow.domains.articles.source.formats import NotAnArticle, article_of, json_object, lines_of, text_of
from winnow.learn.folder import TrainedModel
from winnow.pipeline.cache import content_key
from winnow.pipeline.files import folder_digest

BLOCK = 512
"""Articles that are held at a time."""
BATCH = 32


def score_file(path: Path, out: Path | None, trained: TrainedModel, device: torch.device) -> dict[str, int]:
    """Score each line of a JSONL file, or .jsonl.gz, into `out` (None: standard output); counts them.

    Memory does not grow with the file. A run writes to a file beside `out`, which takes its name at the end; the same
    model, asked about the same file again, goes on after what a stopped run has written there, unless the file has
    changed since. A line that is no article gets `{"row": …, "error": …}`.
    """
    model = load_scorer(device, trained.folder)
    part = _part_of(out, path, trained.folder) if out is not None else None
    done, refused = _finished_lines(part) if part is not None else (0, 0)
    counts = {"scored": 0, "refused": refused, "already_scored": done - refused}
    with (
        _opened(part) as target,
        tqdm(total=path.stat().st_size, unit="B", unit_scale=True, file=sys.stderr, disable=None) as bar,
    ):
        lines = lines_of(path, bar.update)
        for _ in islice(lines, done):
            pass
        number = done
        while block := list(islice(lines, BLOCK)):
            for found in score_lines(model, block):
                if "error" in found:
                    answer = {"row": number, **found}
                    counts["refused"] += 1
                else:
                    answer = trained.stamp(found)
                    counts["scored"] += 1
                number += 1
                target.write((json.dumps(answer, ensure_ascii=False) + "\n").encode())
            target.flush()
    if out is not None and part is not None:
        part.replace(out)
    return counts


def score_lines(model: TrainedScorer, lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """The answer to each line of JSONL, or the `error` that keeps it from being scored."""
    rows = [_row(line) for line in lines]
    texts = [article_text(row["title"], row["content"]) for row in rows if "error" not in row]
    scores: Iterator[Any] = iter(model.score(texts, batch_size=BATCH) if texts else [])
    for row in rows:
        yield row if "error" in row else _answer(row["id"], next(scores), model.network.scoring)


def _part_of(out: Path, source: Path, folder: Path) -> Path:
    """Where scores are written until they are complete: another file for another source or model, or an edited one."""
    state = source.stat()
    about = f"{source.resolve()} {state.st_size} {state.st_mtime_ns}"
    key = content_key([about, folder_digest(folder)])
    return out.with_name(f"{out.name}.{key[:12]}.part")


def _answer(name: Any, values: Any, scoring: Scoring) -> dict[str, Any]:
    overall = overall_scores(values[None], scoring)
    dimensions = {each: round(float(value), 4) for each, value in zip(scoring.dimensions, values, strict=True)}
    analysis = {
        "dimensions": dimensions,
        "overall": round(float(overall[0]), 4),
        "tier": tier_names(overall, scoring)[0],
    }
    return {"id": name, scoring.analysis_field: analysis}


def _row(line: bytes) -> dict[str, Any]:
    """id, title and content of a line, or the error that keeps it from being scored."""
    value = json_object(line)
    if isinstance(value, str):
        return {"error": value}
    try:
        article = article_of(text_of(value), "jsonl")
    except NotAnArticle as reason:
        return {"error": str(reason)}
    return {"id": value["id"], "title": article["title"], "content": article["content"]}


def _finished_lines(part: Path) -> tuple[int, int]:
    """Whole lines of what a stopped run wrote, and how many of them refuse one; half a line at the end is cut off."""
    if not part.exists():
        return 0, 0
    count, refused, end = 0, 0, 0
    with part.open("r+b") as file:
        for line in file:
            if line.endswith(b"\n"):
                count, end = count + 1, end + len(line)
                refused += line.startswith(b'{"row"')
        file.truncate(end)
    return count, refused


def _opened(out: Path | None) -> Any:
    if out is None:
        return _StandardOutput()
    out.parent.mkdir(parents=True, exist_ok=True)
    return out.open("ab")


class _StandardOutput:
    """Standard output as a file of bytes that stays open."""

    def __enter__(self) -> "_StandardOutput":
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def write(self, data: bytes) -> None:
        sys.stdout.write(data.decode())

    def flush(self) -> None:
        sys.stdout.flush()
