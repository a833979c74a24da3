"""What a user does with the trained scorer: score files of any size, a block at a time."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from winnow.domains.articles.definitions import analysis_of, article_text
from winnow.domains.articles.model.scoring import TrainedScorer, load_scorer
from winnow.domains.articles.rules.prefilter import Sieve, broken_rule
from winnow.domains.articles.source.carried import prefilter_of
from winnow.domains.articles.source.formats import NotAnArticle, article_of, text_of
from winnow.domains.articles.source.rows import is_csv, json_object, lines_of, texts_in
from winnow.learn.folder import TrainedModel
from winnow.pipeline.cache import content_key
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import folder_digest

BLOCK = 512
"""Articles that are held at a time."""
BATCH = 32
MARK = "prefilter"
"""The key of the rule by which the filter's prefilter would have left a text out."""
CUT = "read_tokens"
"""The key of how many tokens of a text that is longer are read."""


def score_file(path: Path, out: Path | None, trained: TrainedModel, device: torch.device) -> dict[str, int]:
    """Score each line of a JSONL file, or .jsonl.gz, or each text of a folder, into `out` (None: printed); counts them.

    Memory does not grow with the file. A run writes to a file beside `out`, which takes its name at the end; the same
    model, asked about the same file again, goes on after what a stopped run has written there, unless the file has
    changed since. A line that is no article gets `{"row": …, "error": …}`, rows counting from 1. A text that the
    filter's prefilter would have left out is scored all the same, and `prefilter` names the rule; the model has seen no
    such texts. Where no prefilter is known, nothing is marked. Of a text with more tokens than the network reads, it
    reads the beginning, and `read_tokens` says how many; a share of ridge regression reads the words of all.
    """
    model = load_scorer(device, trained.folder)
    sieve = sieve_of(trained.folder)
    part = _part_of(out, path, trained.folder, sieve) if out is not None else None
    finished = _finished_lines(part) if part is not None else Counter[str]()
    done = finished["lines"]
    counts = {"scored": 0, "refused": finished["refused"], "already_scored": done - finished["refused"]}
    counts["cut"] = finished["cut"]
    if sieve is not None:
        counts["outside_prefilter"] = finished["marked"]
    try:
        _score_rest(path, part, done, counts, partial(score_lines, model, sieve=sieve), trained)
    except WinnowError:
        if part is not None and part.exists() and not part.stat().st_size:
            part.unlink()  # nothing to go on after
        raise
    if out is not None and part is not None:
        if out.exists():
            say(f"{out} was there already and is replaced")
        part.replace(out)
    return counts


def _score_rest(
    path: Path,
    part: Path | None,
    done: int,
    counts: dict[str, int],
    answers: Callable[..., Iterator[dict[str, Any]]],
    trained: TrainedModel,
) -> None:
    """Write the answers to the lines after the first `done`, and count them."""
    form = "csv" if is_csv(path) else "jsonl"
    size = sum(file.stat().st_size for file in _files_of(path))
    with (
        _opened(part) as target,
        tqdm(total=size, unit="B", unit_scale=True, file=sys.stderr, disable=None) as bar,
    ):
        lines = lines_of(path, bar.update)
        for _ in islice(lines, done):
            pass
        number = done
        while block := list(islice(lines, BLOCK)):
            for found in answers(block, form=form):
                number += 1
                if "error" in found:
                    answer = {"row": number, **found}
                    counts["refused"] += 1
                else:
                    answer = trained.stamp(found)
                    counts["scored"] += 1
                    counts["cut"] += CUT in found
                    if MARK in found:
                        counts["outside_prefilter"] += 1
                target.write((json.dumps(answer, ensure_ascii=False) + "\n").encode())
            target.flush()


def sieve_of(folder: Path) -> Sieve | None:
    """The prefilter of a trained model's filter, compiled; None where it is not known."""
    prefilter = prefilter_of(folder)
    return Sieve(prefilter) if prefilter else None


def score_lines(
    model: TrainedScorer, lines: Sequence[bytes], sieve: Sieve | None, *, form: str = "jsonl"
) -> Iterator[dict[str, Any]]:
    """The answer to each line of JSONL, or the `error` that keeps it from being scored."""
    rows = [_row(line, sieve, form) for line in lines]
    texts = [article_text(row["title"], row["content"]) for row in rows if "error" not in row]
    scores: Iterator[Any] = iter(model.score(texts, batch_size=BATCH) if texts else [])
    cut = iter(model.cut(texts))
    for row in rows:
        if "error" in row:
            yield row
        else:
            analysis = {model.network.scoring.analysis_field: analysis_of(next(scores), model.network.scoring)}
            marks = {MARK: row[MARK], CUT: model.network.max_length if next(cut) else None}
            yield {"id": row["id"], **analysis, **{key: value for key, value in marks.items() if value}}


def _part_of(out: Path, source: Path, folder: Path, sieve: Sieve | None) -> Path:
    """Where scores are written until they are complete: another file for another source or model, or an edited one."""
    rules = sieve.rules.model_dump_json() if sieve else ""
    states = [(file.resolve(), file.stat()) for file in _files_of(source)]
    about = [f"{file} {state.st_size} {state.st_mtime_ns}" for file, state in states]
    key = content_key([*about, folder_digest(folder), rules])
    return out.with_name(f"{out.name}.{key[:12]}.part")


def _files_of(source: Path) -> list[Path]:
    return texts_in(source) if source.is_dir() else [source]


def _row(line: bytes, sieve: Sieve | None, form: str) -> dict[str, Any]:
    """id, title, content and broken rule of a line, or the error that keeps it from being scored."""
    value = json_object(line)
    if isinstance(value, str):
        return {"error": value}
    try:
        article = article_of(text_of(value), "jsonl")
    except NotAnArticle as reason:
        named = {"id": value["id"]} if isinstance(value.get("id"), str | int) else {}
        return {**named, "error": str(reason)}
    title, content = str(article["title"]), str(article["content"])
    return {"id": value["id"], "title": title, "content": content, MARK: sieve and broken_rule(sieve, value, form)}


def _finished_lines(part: Path) -> Counter[str]:
    """Whole `lines` of what a stopped run wrote, and how many of them refuse one, are marked, or tell of a cut.

    Half a line at the end is cut off, and so is all from a line on that is damaged.
    """
    found, end = Counter[str](), 0
    if not part.exists():
        return found
    with part.open("r+b") as file:
        for line in file:
            if not line.endswith(b"\n") or isinstance(row := json_object(line), str):
                break
            end += len(line)
            found.update(lines=1, refused=line.startswith(b'{"row"'), marked=MARK in row, cut=CUT in row)
        file.truncate(end)
    return found


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
