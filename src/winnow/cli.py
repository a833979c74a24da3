"""The `winnow` command: presets, exports, verdicts, summaries, and the commands of each domain's trained model."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from winnow.compare import experiments
from winnow.domains.load import domain_names, has_module, load
from winnow.pipeline import presets
from winnow.pipeline.errors import WinnowError, from_os_error
from winnow.pipeline.files import read_json, write_json, write_text
from winnow.pipeline.params import PARAMS_FILE, Document
from winnow.pipeline.stage import check_code_location
from winnow.workspace.validation import params_model, read_params, validate_params

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

DomainName = Annotated[str, typer.Argument(help="such as climb")]


def check_domain(name: str) -> None:
    """Raise WinnowError unless there is a domain of this name."""
    if name not in domain_names():
        raise WinnowError(f"there is no domain `{name}`", fix=f"one of {', '.join(domain_names())}")


@app.callback()
def options(debug: Annotated[bool, typer.Option("--debug", help="show the traceback of an error")] = False) -> None:
    """Work with the pipeline's parameters, results and trained models."""
    # Read by main(), which also sees errors of options themselves.
    del debug


@app.command()
def schema(
    path: Annotated[Path, typer.Argument(help="where to write it")] = Path("params.schema.json"),
) -> None:
    """Write the JSON schema of params.yaml, which editors use to complete and check it."""
    write_text(path, json.dumps(params_model().model_json_schema(), indent=2, sort_keys=True) + "\n")


@app.command()
def preset(
    domain: DomainName,
    name: Annotated[str, typer.Argument(help="name of a file in presets/<domain>/, without .yaml; `list` lists them")],
    apply: Annotated[bool, typer.Option("--apply", help="write the values into params.yaml instead")] = False,
) -> None:
    """Print a named set of parameters, for `dvc exp run plot@DOMAIN $(winnow preset DOMAIN NAME)`."""
    check_domain(domain)
    if name == "list":
        known = presets.names(domain)
        if not known:
            raise WinnowError(f"{domain} has no preset", where=f"presets/{domain}")
        for each in known:
            print(f"{each:<16} {presets.meaning(domain, each)}")
        return
    chosen = presets.read(domain, name)
    validate_params(Document(PARAMS_FILE).overlaid(chosen, (domain,)))
    changes = presets.overrides(domain, chosen)
    if apply:
        presets.apply(changes, PARAMS_FILE)
        print(f"params.yaml now holds the preset {name} of {domain} ({len(changes)} values)")
    else:
        print(" ".join(presets.as_options(changes)))


@app.command()
def export(
    domain: DomainName,
    stage: Annotated[str, typer.Argument(help="the stage whose tables to export, such as split")],
    out: Annotated[Path, typer.Option(help="folder to write to")] = Path("build/export"),
    format: Annotated[  # noqa: A002
        str | None, typer.Option(help="file format: csv, or jsonl where the domain's files are (default: the domain's)")
    ] = None,
) -> None:
    """Export a stage's tables as files that other programs read."""
    check_domain(domain)
    module = load(domain, "source.export") if has_module(domain, "source.export") else None
    exporters: dict[str, Any] = module.EXPORTS if module else {}
    written = getattr(module, "FORMAT", "csv")
    if format not in (None, written):
        raise WinnowError(f"unknown format `{format}`", fix=f"--format {written}")
    if stage not in exporters:
        known = ", ".join(sorted(exporters)) or "none"
        raise WinnowError(f"{domain} has no export of `{stage}`", fix=f"one of {known}")
    for file in exporters[stage](out):
        print(file)


@app.command()
def publish(
    domain: DomainName,
    repo: Annotated[str, typer.Option(help="USER/NAME on the Hugging Face hub")],
    private: Annotated[bool, typer.Option("--private", help="make a new repository private")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="list what would be uploaded, and upload nothing")] = False,
) -> None:
    """Upload a trained model with its model card to the Hugging Face hub; log in with `hf auth login` first."""
    check_domain(domain)
    if not has_module(domain, "model.publishing"):
        raise WinnowError(
            f"{domain} has no model card to publish a model with", fix="add model/publishing.py to the domain"
        )
    from winnow.learn.publishing import publish_model  # noqa: PLC0415 - only this command needs the hub

    for line in publish_model(
        domain, load(domain, "model.publishing").model_card(), repo, private=private, dry_run=dry_run
    ):
        print(line)


@app.command()
def verdicts() -> None:
    """Print each domain's verdict with its reasons, and where its figures are."""
    for domain in read_params()["domains"]:
        file = Path("metrics", domain, "judgement.json")
        if not file.exists():
            print(f"{domain}: not evaluated yet (`dvc repro evaluate@{domain}`)")
            continue
        found = read_json(file, "verdict", "reasons")
        print(f"{domain}: {found['verdict']}")
        for reason in found["reasons"]:
            print(f"  {reason}")
        print(f"  pictures: data/{domain}/plot   curves: dvc plots show   numbers: dvc metrics show")


@app.command()
def run(
    domains: Annotated[list[str] | None, typer.Argument(help="such as climb (default: all of params.yaml)")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, help="domains at a time")] = os.cpu_count() or 1,
) -> None:
    """Run all stages of the domains side by side, as `dvc repro` does one after another, and show the results."""
    from winnow.workspace.run import run_domains  # noqa: PLC0415 - imports DVC

    params = read_params()
    for domain in domains or []:
        check_domain(domain)
    run_domains(domains or params["domains"], params, jobs)


@app.command()
def status(
    check: Annotated[bool, typer.Option("--check", help="exit with code 1 when dvc.lock is stale")] = False,
    out: Annotated[Path | None, typer.Option(help="file for the stale stages, for `winnow report --stale`")] = None,
) -> None:
    """Print each domain's data, verdict and headline metric, and whether dvc.lock is current for code and params."""
    from winnow.workspace.status import describe, environment_lines, stale_stages  # noqa: PLC0415 - imports DVC

    params = read_params()
    stale = stale_stages()
    for domain in params["domains"]:
        print("\n".join(describe(domain, params[domain], stale)))
    for name in stale:
        if name.endswith(".dvc"):
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
    """Summarize finished DVC experiments by setting: mean and standard deviation over repeated seeds and folds."""
    check_domain(domain)
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
) -> None:
    """Compare two revisions' results: which differences are real, by test rows and training seeds."""
    from winnow.compare.report import write_report  # noqa: PLC0415 - imports DVC
    from winnow.compare.revisions import Revision  # noqa: PLC0415

    print(write_report(Revision(before), Revision(after), None), end="")


@app.command()
def noise(
    domain: DomainName,
    seeds: Annotated[int, typer.Option(min=2, help="trainings, the present one among them")] = 5,
) -> None:
    """Measure how much the metrics vary over training seeds, with `dvc exp run --queue`; write noise.json."""
    from winnow.compare.noise import measure_noise  # noqa: PLC0415

    check_domain(domain)
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
    """Write a pull request's report as Markdown: the working tree compared with `--base`, and what is stale."""
    from winnow.compare.report import write_report  # noqa: PLC0415
    from winnow.compare.revisions import Revision  # noqa: PLC0415
    from winnow.workspace.status import stale_stages  # noqa: PLC0415

    known = stale_stages() if stale is None else read_json(stale, made_by="winnow status --out")
    written = write_report(Revision(base), Revision(None), known, out)
    if out is None:
        print(written, end="")
    else:
        write_text(out / "report.md", written)


for _name in domain_names():
    if has_module(_name, "cli"):
        app.add_typer(load(_name, "cli").app, name=_name)


def main() -> None:
    """The console entry: an error ends with its message and exit code 1, without a traceback unless `--debug`."""
    try:
        check_code_location()
        app(standalone_mode=True)
    except (WinnowError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        sys.exit(f"error: {from_os_error(error) if isinstance(error, OSError) else error}")
