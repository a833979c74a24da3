"""Commands about the data: your own files, and what the stages did to their rows.

What a command needs is imported when it runs: `winnow --help` starts in a moment.
"""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from winnow.cli.arguments import DomainName, check_domain
from winnow.pipeline.checkout import enter_checkout


def init(
    domain: DomainName,
    files: Annotated[list[Path], typer.Argument(help="your data: files or folders in one of the domain's formats")],
    replace: Annotated[
        bool, typer.Option("--replace", help="instead of the sources that params.yaml names, not beside them")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")] = False,
) -> None:
    """Take your own data: recognise its format, copy it to data/source, `dvc add` it, and name it in params.yaml.

    Files that are not recognised are refused, with what was looked for; then nothing is changed. What is written
    besides `ingest.sources`, because such data need it, is said.

    Example: winnow init climb my_export.json --replace
    """
    from winnow.pipeline.presets import meaning
    from winnow.workspace.own_data import carry_out, not_default, plan, unused

    check_domain(domain)
    files = list(enter_checkout(*files))
    chosen = plan(domain, files, replace=replace)
    print("\n".join(chosen.lines()))
    if dry_run:
        print("nothing was changed (--dry-run)")
        return
    written = carry_out(chosen)
    _tell_unused(unused(chosen))
    print(f"next: git add {shlex.join(map(str, written))}")
    print(*(f"      {line}\n" for line in chosen.needs.before), sep="", end="")
    advised = dict.fromkeys(each.preset for each in chosen.found if each.preset)
    for preset in advised:
        print(f"      winnow preset {domain} {preset} --apply   # {meaning(domain, preset)}")
    if replace and not advised and (others := not_default(chosen)):
        told = f"params.yaml has {len(others)} values of a preset or of yours, such as {others[0]}"
        print(f"      winnow preset {domain} default --apply   # if they were for the data before: {told}")
    print(f"      dvc repro plot@{domain}")
    print(f"      winnow rows {domain}           # what each stage kept and left out")


def remove(
    domain: DomainName,
    sources: Annotated[list[str], typer.Argument(help="files as params.yaml names them, or their names alone")],
) -> None:
    """Take sources out of params.yaml again; their files stay, and the commands that remove them are printed.

    Without any source a domain uses its embedded data.

    Example: winnow remove climb my_export.json
    """
    from winnow.workspace.own_data import remove as plan_removal
    from winnow.workspace.own_data import take_out, unused

    check_domain(domain)
    enter_checkout()
    chosen = plan_removal(domain, sources)
    print("\n".join(chosen.lines()))
    take_out(chosen)
    left = ", ".join(each["path"] for each in chosen.sources)
    print(f"left: {left}" if left else f"no source is left: {domain} uses its embedded data")
    _tell_unused(unused(chosen))
    print(f"next: dvc repro plot@{domain}")


def _tell_unused(commands: list[str]) -> None:
    if commands:
        print(
            "their files stay, so that ingest has to run again; to remove them, too:",
            *(f"  {each}" for each in commands),
            sep="\n",
        )


def rows(
    domain: DomainName,
    stage: Annotated[str | None, typer.Option(help="one data stage, such as filter (default: all)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with whole rows")] = False,
) -> None:
    """Show how many rows each data stage kept, and which it left out: the reasons, their counts and the first cases.

    Example: winnow rows climb --stage filter
    """
    from winnow.workspace.rows import as_lines, rows_of
    from winnow.workspace.status import stale_rows

    check_domain(domain)
    enter_checkout()
    found = rows_of(domain, stage)
    if told := stale_rows(domain, stage):
        print(told, file=sys.stderr if as_json else sys.stdout)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        print("\n".join(as_lines(found, limits_of(domain))))


def limits_of(domain: str) -> str:
    """The values by which filter drops rows now: those of params.yaml, and what a module `source.limits` adds."""
    from winnow.domains.load import has_module, load
    from winnow.pipeline.params import PARAMS_FILE, Document
    from winnow.workspace.rows import limits_line

    found = [limits_line(domain)]
    if has_module(domain, "source.limits"):
        found.append(load(domain, "source.limits").limits(Document(PARAMS_FILE).content[domain]))
    return "; ".join(filter(None, found))
