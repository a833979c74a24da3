"""Commands that set a checkout up: what is missing, parameters and presets, a domain of your own.

What a command needs is imported when it runs: `winnow --help` starts in a moment.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from winnow.cli.arguments import DomainName, check_domain
from winnow.pipeline.checkout import enter_checkout
from winnow.pipeline.errors import WinnowError


def new(
    name: Annotated[str, typer.Argument(help="of the domain, such as tides; also a Python module's name")],
) -> None:
    """Add a domain of your own to this checkout: a small regression on CSV files, to be changed from there.

    Example: winnow new tides
    """
    from winnow.cli.app import app
    from winnow.workspace.new_domain import add_domain

    enter_checkout()
    written = add_domain(name, typer.main.get_group(app).commands)
    schema(None)
    print("\n".join(f"  {path}" for path in [*written, Path("params.schema.json")]))
    print(f"next: dvc repro plot@{name}    then your own data: data/source/{name}/README.md, docs/new-domain.md")


def doctor(as_json: Annotated[bool, typer.Option("--json", help="print JSON, for an issue")] = False) -> None:
    """Say what winnow needs, what of it is here, and the command that mends the rest.

    The exit code is 1 if something is missing. Neither output names a host, a user, a folder or an address.

    Example: winnow doctor --json
    """
    from winnow.workspace.doctor import as_report, examine, healthy

    checks = examine()
    if as_json:
        print(json.dumps(as_report(checks), indent=2, ensure_ascii=False))
    else:
        print("\n".join(check.line() for check in checks))
    if not healthy(checks):
        raise typer.Exit(1)


def schema(
    path: Annotated[Path | None, typer.Argument(help="where to write it (default: params.schema.json)")] = None,
) -> None:
    """Write the JSON schema of params.yaml, which editors use to complete and check it.

    Example: winnow schema
    """
    from winnow.pipeline.files import write_text
    from winnow.workspace.validation import params_model

    (path,) = enter_checkout(path)
    write_text(
        path or Path("params.schema.json"),
        json.dumps(params_model().model_json_schema(), indent=2, sort_keys=True) + "\n",
    )


def preset(
    domain: DomainName,
    name: Annotated[str, typer.Argument(help="name of a file in presets/<domain>/, without .yaml; `list` lists them")],
    apply: Annotated[bool, typer.Option("--apply", help="write the values into params.yaml instead")] = False,
) -> None:
    """Print a named set of parameters, for `dvc exp run plot@DOMAIN $(winnow preset DOMAIN NAME)`.

    A preset sets its own values alone, so that two can be combined, and tells what it leaves of another; what `tiny`
    had replaced goes back to the default.
    `default` takes every preset back, but no setting that your own data need. `--apply` prints each value that it
    replaces.

    Example: winnow preset climb quality --apply
    """
    try:
        _print_or_apply(domain, name, apply=apply)
    except WinnowError:
        if not apply and not sys.stdout.isatty():
            print("--no-such-preset")  # which dvc rejects: a shell ignores that the command in `$(…)` failed
        raise


def _print_or_apply(domain: str, name: str, *, apply: bool) -> None:
    """Print a preset or the list of them, or write one into params.yaml; raises WinnowError."""
    from winnow.pipeline import presets
    from winnow.pipeline.params import PARAMS_FILE, Document
    from winnow.workspace.validation import check_types, validate_domain

    check_domain(domain)
    enter_checkout()
    if name == "list":
        known = presets.names(domain)
        if not known:
            raise WinnowError(f"{domain} has no preset", where=f"presets/{domain}")
        width = max(map(len, known))
        for each in known:
            print(f"{each:<{width}}  {presets.meaning(domain, each)}")
        return
    chosen = presets.read(domain, name)
    params, given = Document(PARAMS_FILE).content, presets.overrides(domain, chosen)
    left = presets.left_by_tiny(domain, given, params)
    changes = left | presets.without_absent_sources(domain, given, params)
    own = kept_settings(domain, changes, params) if name == "default" else {}
    changes |= own
    document = Document(PARAMS_FILE).overlaid(presets.only(domain, chosen, changes), (domain,))
    presets.put(left | own, document.content)
    check = validate_domain if apply else check_types
    check(document, domain)  # other domains may be invalid, and so may what the preset replaces
    if left:
        print(f"back to the defaults, which `tiny` had replaced: {', '.join(left)}", file=sys.stderr)
    if given.keys() - changes.keys():
        absent = ", ".join(str(each["path"]) for each in given[f"{domain}.ingest.sources"])
        print(
            f"{domain}.ingest.sources keeps your files: those that the preset is written for ({absent}) are not here",
            file=sys.stderr,
        )
    if others := presets.kept_from_before(domain, changes, params):
        told = ", ".join(f"{key}={value}" for key, value in others.items())
        print(
            f"kept from before, as {name} does not set them: {told}; for {name} alone: "
            f"`winnow preset {domain} default --apply` first",
            file=sys.stderr,
        )
    if own:
        told = ", ".join(f"{key}={presets.value_at({domain: document.content[domain]}, key)}" for key in own)
        print(f"kept, because these settings belong to your own data: {told}", file=sys.stderr)
    if apply:
        before = {key: presets.value_at(params, key) for key in changes}
        presets.apply(changes, PARAMS_FILE)
        changed = {key: value for key, value in changes.items() if before[key] != value}
        for key, value in changed.items():
            print(f"  {key}: {before[key]} → {value}")
        print(f"params.yaml now holds the preset {name} of {domain} ({len(changed)} of {len(changes)} values changed)")
    else:
        print(" ".join(presets.as_options(changes)))


def kept_settings(domain: str, changes: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among a preset's changes that belong to the user's own sources, with their present values.

    A module `source.needs` may name them in `OWN`. Empty where no source is named.
    """
    from winnow.domains.load import has_module, load
    from winnow.pipeline import presets

    if not presets.value_at(params, f"{domain}.ingest.sources") or not has_module(domain, "source.needs"):
        return {}
    names = (f"{domain}.{each}" for each in getattr(load(domain, "source.needs"), "OWN", ()))
    own = {name: presets.value_at(params, name) for name in names}
    return {name: value for name, value in own.items() if changes.get(name, value) != value}
