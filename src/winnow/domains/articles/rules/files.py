"""Labelling a file of articles by a prompt that has passed."""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from winnow.domains.articles.definitions import analysis_of, scoring_of
from winnow.domains.articles.rules.labelling import Labeller, announce
from winnow.domains.articles.rules.outcomes import CAP, Article, told_of
from winnow.domains.articles.rules.prefilter import Sieve, broken_rule
from winnow.domains.articles.rules.rounds import NO_ORACLE, has_passed
from winnow.domains.articles.source.formats import NotAnArticle, article_of, text_of
from winnow.domains.articles.source.rows import is_csv, jsonl_rows
from winnow.pipeline.cache import content_key
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path


def check_passed(labeller: Labeller, name: str) -> None:
    """Raise WinnowError unless this very prompt has passed calibration with this oracle."""
    prompt = labeller.prompt
    if not has_passed(name, prompt, labeller.judged, labeller.gates):
        own = f"; for texts of your own: {NO_ORACLE}" if labeller.judged.startswith("rules/") else ""
        raise WinnowError(
            f"the prompt of {name} ({prompt}) has not passed with the oracle {labeller.judged}; nothing was asked",
            where=f"data/source/articles/filters/{name}/prompt.md",
            fix=f"run `winnow articles calibrate` until it passes{own}",
        )


def label_file(
    labeller: Labeller, path: Path, out: Path, *, batch_size: int, max_batches: int, seed: int
) -> dict[str, Any]:
    """Write each article of a JSONL file with its scores to `out`, in the guide's form; counts and what was paid.

    What it will cost is printed first. Of the articles without a stored answer, `max_batches` batches are asked about
    (0: all), or as many as the cap covers, drawn by `seed`; a further run goes on with the others, and with those that
    were refused at last. Articles without scores go to `<out>.unlabelled.jsonl` with the reason. `out` is written at
    the end: a run that was stopped leaves what stood in it, and is simply started again, since answers of an earlier
    run are not paid again.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=out.parent):  # raises OSError before anything is asked, not at the end
        pass
    counts = {"labelled": 0, "malformed": 0, "refused": 0, "left": 0, "rejected": 0}

    def reject(line: str) -> None:
        counts["rejected"] += 1
        say(f"  {line}")

    labeller.collect()
    articles = {number: _article(row) for number, row in _articles(path, reject)}
    _tell_outside(path, Sieve(labeller.definition.prefilter))
    # By seed: the brake looks at neighbours, and in a file those of one source may all be refused
    order = sorted(articles, key=lambda number: content_key([str(seed), articles[number].article_id]))
    missing = out.with_name(f"{out.name}.unlabelled.jsonl")
    before = {str(row.get("id")): dict(row) for row in _rows_of(missing)}
    unasked = [number for number in order if not labeller.is_known(articles[number])]
    unasked.sort(key=lambda number: articles[number].article_id in before)
    drawn = unasked[: max_batches * batch_size or None]
    covered = announce(labeller, ((articles[number], "plain") for number in drawn), is_batch=True)
    if covered < len(drawn):
        print(
            f"  max_cost_usd covers about {covered} of them, as the answers so far cost; the others are left out",
            file=sys.stderr,
        )
    left = set(unasked) - set(drawn[:covered])
    asked = [number for number in order if number not in left]
    answers = labeller.label_all((articles[number] for number in asked), is_batch=True, every=batch_size)
    found = dict(zip(asked, answers, strict=True))
    say(told_of(answers, labeller.use))
    field, scoring = labeller.definition.config.analysis_field, scoring_of(labeller.definition.config)
    for killed in out.parent.glob(f".{out.name}.*.tmp"):
        killed.unlink()  # of a process that was killed while it wrote; the store's lock says that none is writing
    with atomic_path(out) as scratch, scratch.open("w", encoding="utf-8") as target:
        lines, is_same = [], True
        for number, row in _articles(path):
            each = found.get(number)
            if each is not None and each.scores is not None:
                analysis = analysis_of([each.scores[name] for name in scoring.dimensions], scoring)
                target.write(_line({**row, field: {**analysis, "dimensions": each.scores}}))
            elif each is not None:
                lines.append({"id": row["id"], "reason": each.reason, "answer": each.answer})
            elif (known := before.get(str(row["id"]))) and known.get("reason"):
                lines.append(known)
            outcome = "not reached" if each is None else each.outcome
            counts[{"scored": "labelled", "not reached": "left"}.get(outcome, outcome)] += 1
            is_same = is_same and articles.pop(number, None) == _article(row)
        if articles or not is_same:  # its lines would get the scores of others
            raise WinnowError(
                f"{path} has changed while it was labelled; {out} is left as it was",
                fix="run it again: what was answered is kept",
            )
    with atomic_path(missing) as scratch:
        scratch.write_text("".join(map(_line, lines)), encoding="utf-8")
    if not lines:
        missing.unlink()
    use = labeller.use
    is_capped = covered < len(drawn) or any(each.refusal == CAP for each in answers)
    return {
        **counts,
        "complete": not counts["left"] and not is_capped,
        "cut_by_cap": is_capped,
        "cost_usd": round(use.cost_usd, 6),
        "paid_now_usd": round(use.paid_now_usd, 6),
    }


def _tell_outside(path: Path, sieve: Sieve) -> None:
    """Say how many articles the filter's prefilter would have left out: they are asked about, and paid, too."""
    form = "csv" if is_csv(path) else "jsonl"
    broken = Counter(rule for _, row in _articles(path) if (rule := broken_rule(sieve, row, form)))
    if broken:
        listed = ", ".join(f"{count} {rule}" for rule, count in sorted(broken.items()))
        told = f"{broken.total()} articles are outside of prefilter.yaml ({listed}), and labelled all the same"
        print(told, file=sys.stderr)


def _line(row: dict[str, Any]) -> str:
    """A row as a line; half of a surrogate pair, which UTF-8 cannot hold, stays the escape that it was."""
    text = json.dumps(row, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(row) + "\n"
    return text


def _rows_of(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects in a JSONL file, if there is one."""
    return (row for row in jsonl_rows(path) if not isinstance(row, str)) if path.is_file() else iter(())


def _article(row: dict[str, Any]) -> Article:
    return Article(str(row["id"]), str(row.get("title") or ""), text_of(row)["content"])


def _articles(path: Path, reject: Callable[[str], None] = lambda _: None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that are articles, with their numbers; the others are passed to `reject`."""
    for number, row in enumerate(jsonl_rows(path)):
        try:
            if isinstance(row, str):
                raise NotAnArticle(row)
            article_of(text_of(row), "jsonl")
        except NotAnArticle as reason:
            reject(f"row {number + 1} is left out: {reason}")
            continue
        yield number, dict(row)
