"""Commands that make and show results: run, board, status.

What a command needs is imported when it runs: `winnow --help` starts in a moment.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
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
    from winnow.workspace.validation import read_each_domain

    (out,) = enter_checkout(out)
    params, problems = read_each_domain()
    for domain in domains or []:
        check_domain(domain)
    chosen = list(dict.fromkeys(domains or params["domains"]))
    articles, left = {}, list[tuple[str, WinnowError]]()
    for domain in chosen:
        try:
            articles[domain] = article_of(domain)
        except WinnowError as error:
            if domains:
                raise
            left.append((domain, error))
    if not articles:
        raise WinnowError("no domain has a page yet", fix="winnow run, or dvc repro plot@DOMAIN for one domain")
    notes = [f"{left[0][1].what}: {left[0][1].fix}"] if len(left) == 1 else []
    if len(left) > 1:
        names = [domain for domain, _ in left]
        notes = [f"there is no page of {', '.join(names)}: `winnow run {' '.join(names)}` makes them"]
    chosen = list(articles)
    stale = [name for name in chosen if f'data-judgement="{digest(name)}"' not in articles[name]]
    notes += [f"The page of {name} shows other results than metrics/{name}: `dvc repro plot@{name}`" for name in stale]
    invalid = {name: problems[name] for name in domains or params["domains"] if name in problems}
    notes += [f"{name} is invalid: {problem}" for name, found in invalid.items() for problem in found]
    target = out or Path("build", "board.html")
    write_text(target, page("winnow: the board", articles, result_rows(chosen, params, invalid), notes))
    for note in notes:
        print(f"⚠ {note}", file=sys.stderr)
    print(f"{target}  {target.stat().st_size / 1e6:.1f} MB")
    raise_invalid(invalid)


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
    from winnow.workspace.status import as_record, describe, environment_lines, running_lines, stale_stages
    from winnow.workspace.validation import read_each_domain

    if domain is not None:
        check_domain(domain)
    (out,) = enter_checkout(out)
    params, problems = read_each_domain()
    stale = stale_stages(params)
    shown = params["domains"] if domain is None else [domain]
    invalid = {name: problems[name] for name in shown if name in problems}
    if as_json:
        told = {
            name: {"invalid": invalid[name]} if name in invalid else as_record(name, params[name], stale)
            for name in shown
        }
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        for name in shown:
            lines = [f"{name}: invalid", *(f"  {problem}" for problem in invalid.get(name, []))]
            print("\n".join(lines if name in invalid else describe(name, params[name], stale, reasons=reasons)))
        for name in filter(lambda each: each.endswith(".dvc"), stale):
            print(f"{name}: {'; '.join(stale[name])}")
        for line in [*running_lines(), *environment_lines()]:
            print(line)
    if out is not None:
        write_json(out, stale)
    raise_invalid(invalid)
    asked = [name for name in stale if domain is None or name.partition("@")[2] in ("", domain)]
    if check and asked:
        raise WinnowError(
            f"dvc.lock is stale for {len(asked)} stage(s)", fix="dvc repro, and commit dvc.lock and metrics/"
        )


def raise_invalid(problems: Mapping[str, Sequence[str]]) -> None:
    """Raise WinnowError when some domains, whose problems were told, are not valid."""
    if problems:
        raise WinnowError(
            f"params.yaml is invalid for {', '.join(problems)}; the other domains are as told",
            where=next(iter(problems.values()))[0],
            fix="correct the values named above, or `winnow preset DOMAIN default --apply`",
        )
