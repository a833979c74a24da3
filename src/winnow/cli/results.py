"""Commands that make and show results: run, board, status.

What a command needs is imported when it runs: `winnow --help` starts in a moment.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from winnow.cli.arguments import check_domain
from winnow.domains.load import domain_names
from winnow.pipeline.checkout import enter_checkout
from winnow.pipeline.errors import WinnowError


def run(
    domains: Annotated[
        list[str] | None,
        typer.Argument(help="such as climb (default: all of params.yaml)", autocompletion=domain_names),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="domains at a time")] = os.cpu_count() or 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the results as `winnow status --json` does; all else on stderr")
    ] = False,
) -> None:
    """Run all stages of the domains side by side, as `dvc repro` does one after another, and show the results.

    Example: winnow run climb retina --jobs 2
    """
    from winnow.workspace.run import results_table, run_domains
    from winnow.workspace.status import as_record, stale_stages
    from winnow.workspace.validation import read_params

    enter_checkout()
    params = read_params()
    for domain in domains or []:
        check_domain(domain)
    chosen = list(dict.fromkeys(domains or params["domains"]))

    def show_results() -> None:
        if as_json:
            stale = stale_stages(params)
            print(json.dumps({name: as_record(name, params[name], stale) for name in chosen}, indent=2))
        else:
            print(results_table(chosen, params))

    run_domains(chosen, jobs, show_results, sys.stderr if as_json else sys.stdout)


def board(
    domains: Annotated[
        list[str] | None,
        typer.Argument(help="such as climb (default: all of params.yaml)", autocompletion=domain_names),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="the HTML file to write (default: build/board.html)")] = None,
) -> None:
    """Join the pages of the domains, data/DOMAIN/plot/report.html, to one file to open in a browser or to send.

    It needs no network and no script. Example: winnow board climb retina --out results.html
    """
    from winnow.pipeline.files import write_text
    from winnow.show.page import article_of, digest, page
    from winnow.workspace.run import result_rows
    from winnow.workspace.validation import read_params

    (out,) = enter_checkout(out)
    params = read_params()
    for domain in domains or []:
        check_domain(domain)
    chosen = list(dict.fromkeys(domains or params["domains"]))
    articles, notes = {}, []
    for domain in chosen:
        try:
            articles[domain] = article_of(domain)
        except WinnowError as error:
            if domains:
                raise
            notes.append(f"{error.what}: {error.fix}")
    if not articles:
        raise WinnowError("no domain has a page yet", fix="winnow run, or dvc repro plot@DOMAIN for one domain")
    chosen = list(articles)
    stale = [name for name in chosen if f'data-judgement="{digest(name)}"' not in articles[name]]
    notes += [f"The page of {name} shows other results than metrics/{name}: `dvc repro plot@{name}`" for name in stale]
    target = out or Path("build", "board.html")
    write_text(target, page("winnow: the board", articles, result_rows(chosen, params), notes))
    for note in notes:
        print(f"⚠ {note}", file=sys.stderr)
    print(f"{target}  {target.stat().st_size / 1e6:.1f} MB")


def status(
    domain: Annotated[
        str | None, typer.Argument(help="such as climb (default: all)", autocompletion=domain_names)
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons", help="print the reasons of each verdict")] = False,
    check: Annotated[bool, typer.Option("--check", help="exit with code 1 when dvc.lock is stale")] = False,
    out: Annotated[Path | None, typer.Option(help="file for the stale stages, for `winnow report --stale`")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Print each domain's data, verdict and headline metric, and whether dvc.lock is current for code and params.

    Example: winnow status climb --reasons
    """
    from winnow.pipeline.files import write_json
    from winnow.workspace.status import as_record, describe, environment_lines, stale_stages
    from winnow.workspace.validation import read_params

    if domain is not None:
        check_domain(domain)
    (out,) = enter_checkout(out)
    params = read_params()
    stale = stale_stages(params)
    shown = params["domains"] if domain is None else [domain]
    if as_json:
        print(json.dumps({name: as_record(name, params[name], stale) for name in shown}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(line for name in shown for line in describe(name, params[name], stale, reasons=reasons)))
        for name in filter(lambda each: each.endswith(".dvc"), stale):
            print(f"{name}: {'; '.join(stale[name])}")
        for line in environment_lines():
            print(line)
    if out is not None:
        write_json(out, stale)
    if check and stale:
        raise WinnowError(
            f"dvc.lock is stale for {len(stale)} stage(s)", fix="dvc repro, and commit dvc.lock and metrics/"
        )
