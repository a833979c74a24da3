"""`winnow articles …`: calibrate the oracle's prompt, label a file with it, score a file by the model, report."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from winnow.domains.articles.params import Common, Label
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.checkout import enter_checkout
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import read_json
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.text import shown

if TYPE_CHECKING:
    from winnow.domains.articles.definitions import Definition
    from winnow.domains.articles.rules.labelling import Labeller

app = typer.Typer(no_args_is_help=True, help="Score articles on a filter's dimensions.")

READ = ".jsonl or .jsonl.gz (a JSON object with id and content a line), .csv (these columns), .txt (one article)"
ALSO = "; a folder of .txt; - for standard input (JSONL, or one article)"
OTHER = (".csv", ".tsv", ".parquet", ".gz", ".xlsx", ".zip")
"""Suffixes of files that are not written."""
ONCE = "should the run be stopped, go on without --retry: with it new answers, too, are asked for and paid again"
DATA, METRICS = Path("data", "articles"), Path("metrics", "articles")


class Retry(StrEnum):
    malformed = "malformed"
    all = "all"
    batches = "batches"


@app.command()
def calibrate() -> None:
    """Try the filter's prompt on two small samples and write the report; the exit code is 0 when it passes.

    Reads the prompt as it is now, and the articles that `dvc repro filter@articles` kept.

    Example: winnow articles calibrate
    """
    from winnow.domains.articles.rules.gate import REPORT, calibrate, require_pass
    from winnow.domains.articles.tables import Articles, Kept, Scores
    from winnow.pipeline.tables import read_table

    enter_checkout()
    kept = read_table(DATA / "filter" / "articles.parquet", Kept)
    texts = read_table(DATA / "ingest" / "articles.parquet", Articles).set_index("article_id")
    human = read_table(DATA / "ingest" / "scores.parquet", Scores)
    with _labeller() as (labeller, name, params):
        _check_prepared(labeller.definition, name)
        outcome = calibrate(labeller, kept, texts, human, params.calibration, name)
        print(shown(f"{outcome.word}: {outcome.decision}"))
        for reason in outcome.reasons:
            print(shown(f"  {reason}"))
        print(f"report: {REPORT}")
        require_pass(outcome, are_reasons_told=True)


@app.command()
def label(
    file: Annotated[Path | None, typer.Argument(help="JSONL, one article a line: id, title, content (or text)")] = None,
    out: Annotated[Path | None, typer.Option(help="JSONL to write: the same lines with the scores")] = None,
    max_batches: Annotated[
        int, typer.Option(min=0, help="batches to ask about; 0 = all; the next run goes on with the others")
    ] = 0,
    batch_size: Annotated[int, typer.Option(min=0, help="articles of a batch; 0 = articles.label.batch_size")] = 0,
    retry: Annotated[
        Retry | None,
        typer.Option(help="ask again where answers are malformed; or all, such as of a mended server; or lost batches"),
    ] = None,
) -> None:
    """Label a file with the oracle, by a prompt that has passed; the exit code is 1 when a line gets no scores.

    Without a file, `--retry malformed` and `--retry all` have the next `winnow articles calibrate` or `dvc repro -f
    label@articles` ask again, and pay again. First attempts that were malformed stay counted in the calibration, unless
    all is asked again. `--retry batches` gives up batches that the server has lost.

    Example: winnow articles label articles.jsonl --out labelled.jsonl
    """
    from winnow.domains.articles.rules.files import check_passed, label_file

    if (file is None) != (out is None) or (file is None and retry is None):
        raise WinnowError("FILE and --out are needed, both of them", fix="or `--retry malformed` alone")
    if file is not None and out is not None:
        file, out = enter_checkout(file, out)
        _check_file(file, out)
    else:
        enter_checkout()
    with _labeller() as (labeller, name, params):
        if file is not None:  # before paid answers are given up
            check_passed(labeller, name)
        if retry in {Retry.malformed, Retry.all}:
            labeller.collect()  # what a batch under way answers is asked for again as well
        if retry is Retry.malformed:
            count = labeller.retire_malformed()
            print(f"{count} malformed answers, whatever file they are of, will be asked for again", file=sys.stderr)
        elif retry is Retry.all:
            count = labeller.forget_answers()
            print(f"{count} answers will be asked for, and paid, again; {ONCE}", file=sys.stderr)
        elif retry is Retry.batches:
            print(f"{labeller.give_up_batches()} batches are given up", file=sys.stderr)
        if file is None or out is None:
            return
        found = label_file(
            labeller,
            file,
            out,
            batch_size=batch_size or params.batch_size,
            max_batches=max_batches,
            seed=params.calibration.seed,
        )
    print(json.dumps(found))
    if found["rejected"] or found["malformed"] or found["refused"] or found["cut_by_cap"]:
        raise typer.Exit(1)


@app.command()
def score(
    file: Annotated[
        Path,
        typer.Argument(
            help="JSONL, one article a line: id, title, content (or text); CSV; .txt: one article; a folder of .txt; "
            "- = standard input, JSONL or one article"
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="JSONL to write; a run that was stopped is continued (default: print)")
    ] = None,
    model: ModelOption = None,
) -> None:
    """Score a file of any size with the trained model, line by line, in constant memory.

    Example: winnow articles score articles.jsonl --out scored.jsonl
    """
    with _readable(file) as source:
        _check_file(source, out, are_folders_read=True)
        trained = use_model("articles", model)
        from winnow.domains.articles.inference import score_file
        from winnow.learn.devices import configured_device

        counts = score_file(source, out, trained, configured_device())
    if out is not None:
        print(json.dumps(trained.stamp(counts)))
    scored = counts["scored"] + counts["already_scored"]
    if marked := counts.get("outside_prefilter"):
        told = "prefilter.yaml keeps such texts from labelling and training, and `prefilter` names the rule"
        print(f"outside of the filter: {marked} of {scored} scored texts; {told}", file=sys.stderr)
    if counts["cut"]:
        told = "the network reads the beginning alone, and `read_tokens` says how many of its tokens"
        print(f"longer than the network reads: {counts['cut']} of {scored} scored texts; {told}", file=sys.stderr)
    if counts["refused"]:
        told = "`error` says why; an article has an id, a title that may be empty, and content (or text)"
        print(f"not scored: {counts['refused']} of {scored + counts['refused']}; {told}", file=sys.stderr)
        raise typer.Exit(1)


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Word document to write")] = Path("build/articles_training_report.docx"),
) -> None:
    """Write the training report as a Word document: summary, method, results with the figures, conclusion.

    Example: winnow articles report --out report.docx
    """
    from winnow.domains.articles.view.document import read_results, write_document

    (out,) = enter_checkout(out)
    write_document(read_results(), out)
    print(out)


def _check_prepared(definition: "Definition", name: str) -> None:
    """Raise WinnowError when the articles were marked by another filter: the samples would be the wrong ones."""
    from winnow.domains.articles.definitions import read_config
    from winnow.domains.articles.rules.prefilter import digest_of

    prepared = read_json(METRICS / "filter.json", "prefilter", made_by="dvc repro filter@articles")["prefilter"]
    before = read_config(DATA / "ingest" / "config.json")
    parts = [(each.name, each.version, each.names, each.scale) for each in (before, definition.config)]
    if parts[0] != parts[1] or prepared != digest_of(definition.prefilter):
        raise WinnowError(
            f"the articles were prepared by another filter than {name} as it is now; nothing was asked",
            where=f"data/source/articles/filters/{name}",
            fix="run `dvc repro filter@articles`, then calibrate again",
        )


@contextmanager
def _labeller() -> "Iterator[tuple[Labeller, str, Label]]":
    """The oracle of params.yaml with the filter as it is in data/source now; the filter's name; the label params."""
    from winnow.domains.articles.rules.labelling import open_labeller
    from winnow.domains.articles.source.filters import read_filter
    from winnow.pipeline.seeds import derive_seed

    document = Document(PARAMS_FILE)
    name = document.section(("articles", "common"), Common).definition
    params = document.section(("articles", "label"), Label)
    seed = derive_seed(document.content["seed"], "articles", "label")
    with open_labeller(read_filter(name), params, seed) as labeller:
        yield labeller, name, params


@contextmanager
def _readable(file: Path) -> Iterator[Path]:
    """The file, or for `-` a temporary copy of standard input: JSONL, or one article as it is."""
    from winnow.domains.articles.source.rows import begins_as_json

    if file != Path("-"):
        yield file
        return
    if sys.stdin.isatty():
        say("paste the article, then Ctrl+D")
    with TemporaryDirectory() as folder:
        copy = Path(folder, "stdin.txt")
        with copy.open("wb") as target:
            shutil.copyfileobj(sys.stdin.buffer, target)
        yield copy.rename(copy.with_suffix(".jsonl")) if begins_as_json(copy) else copy


def _check_file(file: Path, out: Path | None, *, are_folders_read: bool = False) -> None:
    from winnow.domains.articles.source.rows import begins_as_json, is_plain, texts_in

    is_folder_read = are_folders_read and file.is_dir()
    if is_folder_read and not texts_in(file):
        raise WinnowError(f"the folder {file} holds no .txt", fix=f"name a folder of .txt files, or a file: {READ}")
    if not file.is_file() and not is_folder_read:
        what = "is a folder" if file.is_dir() else "is no regular file" if file.exists() else "does not exist"
        raise WinnowError(f"{file} {what}", fix=f"name one file of texts: {READ}{ALSO if are_folders_read else ''}")
    if is_folder_read:
        say(f"{len(texts_in(file))} texts of {file}, each .txt an article")
    elif is_plain(file):
        say(f"{file} is taken as one article; for several: .jsonl, an article a line, or .csv")
    elif not (re.search(r"\.(jsonl|[ct]sv)(\.gz)?$", file.name, re.IGNORECASE) or begins_as_json(file)):
        raise WinnowError(f"{file} is in none of the formats that are read", fix=f"name one of {READ}")
    if out is not None and out.suffix.lower() in OTHER:
        raise WinnowError(
            f"--out {out} names another format: JSONL is written", fix=f"--out {out.with_suffix('.jsonl')}"
        )
    if out is not None and out.exists() and not out.is_file():
        raise WinnowError(f"--out {out} is no regular file; nothing was written", fix="name another --out")
    if out is not None and out.exists() and out.samefile(file):
        raise WinnowError(f"--out {out} is the file that is read; nothing was written", fix="name another --out")
