"""Commands that compare results: experiments, revisions, seeds.

What a command needs is imported when it runs: `winnow --help` starts in a moment.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from winnow.cli.arguments import DomainName, check_domain
from winnow.domains.load import domain_names
from winnow.pipeline.checkout import enter_checkout
from winnow.pipeline.errors import WinnowError


def summarize(
    domain: DomainName,
    metric: Annotated[
        list[str] | None, typer.Option(help="a metric of the model; may be repeated (default: the gate's)")
    ] = None,
    num: Annotated[int, typer.Option("--num", "-n", min=1, help="read the experiments of the last NUM commits")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="print every run's values as JSON")] = False,
) -> None:
    """Summarize finished DVC experiments by setting: mean and standard deviation over repeated seeds and folds.

    Example: winnow summarize climb --metric perplexity
    """
    from winnow.compare import experiments
    from winnow.workspace.validation import read_params

    check_domain(domain)
    enter_checkout()
    found, left_out = experiments.read_experiments(domain, num)
    for line in left_out:
        print(f"left out {line}", file=sys.stderr)
    if not found:
        raise WinnowError(
            f"no finished experiment of {domain} starts from the last {num} commit(s)",
            fix=f"dvc exp run evaluate@{domain} -S {domain}.train.seed=2, or look further back with --num",
        )
    gate = read_params()[domain]["evaluate"]["gate"]
    named = [gate["headline"], *(condition["metric"] for condition in gate["conditions"])]
    settings = experiments.summarize(found, metric or list(dict.fromkeys(named)))
    print(json.dumps(experiments.as_records(settings), indent=2) if as_json else experiments.as_markdown(settings))


def compare(
    before: Annotated[str, typer.Argument(help="a Git revision or an experiment")],
    after: Annotated[str | None, typer.Argument(help="another one (default: the working tree)")] = None,
    domain: Annotated[
        str | None, typer.Option(help="show one domain, such as climb (default: all)", autocompletion=domain_names)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Compare two revisions' results: which differences are real, by test rows and training seeds.

    Example: winnow compare main --domain climb
    """
    from winnow.compare.report import as_records, write_report
    from winnow.compare.revisions import Revision

    if domain is not None:
        check_domain(domain)
    enter_checkout()
    if as_json:
        print(json.dumps(as_records(Revision(before), Revision(after), domain), indent=2, ensure_ascii=False))
    else:
        print(write_report(Revision(before), Revision(after), None, domain=domain), end="")


def noise(
    domain: DomainName, seeds: Annotated[int, typer.Option(min=2, help="trainings, the present one among them")] = 5
) -> None:
    """Measure how much the metrics vary over training seeds, with `dvc exp run --queue`; write noise.json.

    Example: winnow noise climb --seeds 5
    """
    from winnow.compare.noise import measure_noise

    check_domain(domain)
    enter_checkout()
    print(f"{measure_noise(domain, seeds)} written; commit it, so that `winnow compare` can use it")


def report(
    base: Annotated[str, typer.Option(help="the revision to compare the working tree with")] = "main",
    out: Annotated[
        Path | None, typer.Option(help="folder for report.md and its figures (default: no figures, and print it)")
    ] = None,
    stale: Annotated[
        Path | None,
        typer.Option(help="what was stale before `dvc repro`, by `winnow status --out` (default: what is stale now)"),
    ] = None,
) -> None:
    """Write a pull request's report as Markdown: the working tree compared with `--base`, and what is stale.

    Example: winnow report --base main --out build/report
    """
    from winnow.compare.report import write_report
    from winnow.compare.revisions import Revision
    from winnow.pipeline.files import read_json, write_text
    from winnow.workspace.status import stale_stages

    out, stale = enter_checkout(out, stale)
    known = stale_stages() if stale is None else read_json(stale, made_by="winnow status --out")
    written = write_report(Revision(base), Revision(None), known, out)
    if out is None:
        print(written, end="")
    else:
        write_text(out / "report.md", written)
