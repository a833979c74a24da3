"""The `winnow` command: presets, exports, rows, results, and the commands of each domain's trained model.

It starts in a moment: what a command needs is imported when the command runs.
"""

import ast
import importlib.metadata
import importlib.util
import json
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from winnow.domains.load import domain_names, has_module, load
from winnow.learn.folder import ModelOption, unjudged
from winnow.pipeline.checkout import enter_checkout
from winnow.pipeline.errors import WinnowError, from_os_error
from winnow.pipeline.reading import reason

DomainName = Annotated[str, typer.Argument(help=f"one of {', '.join(domain_names())}", autocompletion=domain_names)]


class DomainCommands(TyperGroup):
    """`winnow DOMAIN …`: its module is imported when one of its commands is asked for."""

    def __init__(self, domain: str) -> None:
        module = importlib.util.find_spec(f"winnow.domains.{domain}.cli")
        source = Path(module.origin).read_text(encoding="utf-8") if module and module.origin else ""
        first = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        purpose = first.partition(": ")[2]
        super().__init__(name=domain, help=purpose[:1].upper() + purpose[1:], no_args_is_help=True)

    @cached_property
    def _loaded(self) -> Any:
        return typer.main.get_group(load(str(self.name), "cli").app)

    def list_commands(self, ctx: Any) -> list[str]:
        names: list[str] = self._loaded.list_commands(ctx)
        return names

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return self._loaded.get_command(ctx, cmd_name)


class Commands(TyperGroup):
    """The commands of this module, and those of each domain."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *(name for name in domain_names() if has_module(name, "cli"))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in domain_names() and has_module(cmd_name, "cli"):
            return DomainCommands(cmd_name)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


def check_domain(name: str) -> None:
    """Raise WinnowError unless there is a domain of this name."""
    if name not in domain_names():
        raise WinnowError(f"there is no domain `{name}`", fix=f"one of {', '.join(domain_names())}")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(importlib.metadata.version("winnow"))
        raise typer.Exit


@app.callback()
def options(
    folder: Annotated[Path | None, typer.Option("-C", metavar="DIR", help="run as if started in DIR")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Work with the pipeline's parameters, results and trained models.

    The commands below work in any folder of a checkout; those that use a trained model work anywhere, with --model.
    """
    del debug, version  # read by main(), which also sees errors of options themselves; and by its callback
    if folder is not None:
        os.chdir(folder)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="of the domain, such as tides; also a Python module's name")],
) -> None:
    """Add a domain of your own to this checkout: a small regression on CSV files, to be changed from there.

    Example: winnow new tides
    """
    from winnow.workspace.new_domain import add_domain

    enter_checkout()
    written = add_domain(name, typer.main.get_group(app).commands)
    schema(None)
    print("\n".join(f"  {path}" for path in [*written, Path("params.schema.json")]))
    print(f"next: dvc repro plot@{name}    then your own data: data/source/{name}/README.md, docs/new-domain.md")


@app.command()
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


@app.command()
def init(
    domain: DomainName,
    files: Annotated[list[Path], typer.Argument(help="your data: files or folders in one of the domain's formats")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be done, and do nothing")] = False,
) -> None:
    """Take your own data: recognise its format, copy it to data/source, `dvc add` it, and name it in params.yaml.

    Files that are not recognised are refused, with what was looked for; then nothing is changed.

    Example: winnow init climb my_export.json
    """
    from winnow.workspace.own_data import carry_out, plan

    check_domain(domain)
    files = list(enter_checkout(*files))
    chosen = plan(domain, files)
    print("\n".join(chosen.lines()))
    if dry_run:
        print("nothing was changed (--dry-run)")
        return
    written = carry_out(chosen)
    print(f"next: git add {' '.join(map(str, written))}")
    print(f"      dvc repro plot@{domain}        # or with a preset for such data: winnow preset {domain} list")
    print(f"      winnow rows {domain}           # what each stage kept and left out")


@app.command()
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


@app.command()
def preset(
    domain: DomainName,
    name: Annotated[str, typer.Argument(help="name of a file in presets/<domain>/, without .yaml; `list` lists them")],
    apply: Annotated[bool, typer.Option("--apply", help="write the values into params.yaml instead")] = False,
) -> None:
    """Print a named set of parameters, for `dvc exp run plot@DOMAIN $(winnow preset DOMAIN NAME)`.

    A preset sets its own values alone, so that two can be combined; what `tiny` had replaced goes back to the default,
    and so does everything by `default`. Example: winnow preset climb quality --apply
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
    from winnow.workspace.validation import params_model, validate_params

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
    document = Document(PARAMS_FILE).overlaid(chosen, (domain,))
    document.section((), params_model())
    params, given = Document(PARAMS_FILE).content, presets.overrides(domain, chosen)
    left = presets.left_by_tiny(domain, given, params)
    changes = left | presets.without_absent_sources(domain, given, params)
    if left:
        print(f"back to the defaults, which `tiny` had replaced: {', '.join(left)}", file=sys.stderr)
    if given.keys() - changes.keys():
        print(f"your {domain}.ingest.sources stay: the files that the preset names are not here", file=sys.stderr)
    if apply:
        validate_params(document)
        presets.apply(changes, PARAMS_FILE)
        print(f"params.yaml now holds the preset {name} of {domain} ({len(changes)} values)")
    else:
        print(" ".join(presets.as_options(changes)))


@app.command()
def export(
    domain: DomainName,
    what: Annotated[str, typer.Argument(help="the stage whose tables to export, such as split; or `model`")],
    out: Annotated[Path | None, typer.Option(help="folder to write to (default: build/export or build/model)")] = None,
    format: Annotated[  # noqa: A002
        str | None, typer.Option(help="file format: csv, or jsonl where the domain's files are (default: the domain's)")
    ] = None,
) -> None:
    """Export a stage's tables as files that other programs read, or the trained model with its verdict.

    An exported model's folder is complete: copy it to any machine with winnow, and name it by --model.

    Example: winnow export climb model --out my_model
    """
    check_domain(domain)
    (out,) = enter_checkout(out)
    if what == "model":
        from winnow.learn.folder import copy_model
        from winnow.pipeline.files import JUDGEMENT, write_text
        from winnow.workspace.card import model_card

        card = model_card(domain)
        given = copy_model(domain, out or Path("build", "model", domain))
        write_text(given / "README.md", card)
        usual = (given / JUDGEMENT).stat().st_mode
        for file in filter(Path.is_file, given.rglob("*")):
            file.chmod(usual)  # safetensors saves weights that only their owner may read
        print(given)
        return
    module = load(domain, "source.export") if has_module(domain, "source.export") else None
    exporters: dict[str, Any] = module.EXPORTS if module else {}
    written = getattr(module, "FORMAT", "csv")
    if format not in (None, written):
        raise WinnowError(f"unknown format `{format}`", fix=f"--format {written}")
    if what not in exporters:
        raise WinnowError(
            f"{domain} has no export of `{what}`", fix=f"one of {', '.join(sorted([*exporters, 'model']))}"
        )
    for file in exporters[what](out or Path("build/export")):
        print(file)


@app.command()
def publish(
    domain: DomainName,
    repo: Annotated[str, typer.Option(help="USER/NAME on the Hugging Face hub")],
    private: Annotated[bool, typer.Option("--private", help="make a new repository private")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list what would be uploaded, and upload nothing")] = False,
) -> None:
    """Upload a trained model with its model card to the Hugging Face hub; log in with `hf auth login` first.

    Example: winnow publish climb --repo USER/NAME --private --dry-run
    """
    from winnow.learn.publishing import publish_model
    from winnow.workspace.card import model_card

    check_domain(domain)
    enter_checkout()
    for line in publish_model(domain, model_card(domain), repo, private=private, dry_run=dry_run):
        print(line)


@app.command()
def rows(
    domain: DomainName,
    stage: Annotated[str | None, typer.Option(help="one data stage, such as filter (default: all)")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with whole rows")] = False,
) -> None:
    """Show how many rows each data stage kept, and which it left out: the reasons, their counts and the first cases.

    Example: winnow rows climb --stage filter
    """
    from winnow.workspace.rows import as_lines, rows_of

    check_domain(domain)
    enter_checkout()
    found = rows_of(domain, stage)
    print(json.dumps(found, indent=2, ensure_ascii=False) if as_json else "\n".join(as_lines(found)))


@app.command()
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


@app.command()
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


@app.command()
def serve(
    domains: Annotated[
        list[str] | None,
        typer.Argument(help="such as climb (default: all that have a trained model)", autocompletion=domain_names),
    ] = None,
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="address to listen at; 0.0.0.0 lets other machines in")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one")] = 8000,
) -> None:
    """Serve trained models as web pages to try them and as a JSON API, until Ctrl+C; needs the extra `serve`.

    The answers are those of the commands of each domain. Nothing that is sent is stored.

    Example: winnow serve climb --port 8001
    """
    from winnow.workspace.serving import serve as serve_models

    for domain in domains or []:
        check_domain(domain)
    serve_models(domains or [], model, host, port)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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


def main() -> None:
    """The console entry: an error ends with its message and exit code 1, without a traceback unless `--debug`."""
    try:
        app(standalone_mode=True)
    except (WinnowError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        sys.exit(f"error: {from_os_error(error) if isinstance(error, OSError) else error}")
    except Exception as error:
        if not unjudged or "--debug" in sys.argv:
            raise
        told = WinnowError(
            f"the model, which no evaluation has judged, cannot be used: {reason(error)}",
            where=str(unjudged[-1]),
            fix="copy or download the folder again, or evaluate it; --debug shows where it failed",
        )
        sys.exit(f"error: {told}")
