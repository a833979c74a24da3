"""Commands that give trained models away: export, publish, serve.

What a command needs is imported when it runs: `winnow --help` starts in a moment.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from winnow.cli.arguments import DomainName, check_domain
from winnow.domains.load import domain_names, has_module, load
from winnow.learn.folder import ModelOption
from winnow.pipeline.checkout import enter_checkout
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError

MODEL_FORMATS = ("onnx", "onnx-int8")
"""The second with weights of 8 bits."""


def export(
    domain: DomainName,
    what: Annotated[str, typer.Argument(help="the stage whose tables to export, such as split; or `model`")],
    out: Annotated[Path | None, typer.Option(help="folder to write to (default: build/export or build/model)")] = None,
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option(
            help="of tables: csv, or jsonl where the domain's files are; of a model: onnx or onnx-int8, "
            "a file for ONNX Runtime in its folder (extra `onnx`)"
        ),
    ] = None,
) -> None:
    """Export a stage's tables as files that other programs read, or the trained model with its verdict.

    An exported model's folder is complete: copy it to any machine with winnow, and name it by --model.

    Example: winnow export climb model --out my_model --format onnx
    """
    check_domain(domain)
    (out,) = enter_checkout(out)
    if what == "model":
        check_model_format(domain, format)
        from winnow.learn.folder import copy_model, use_model
        from winnow.pipeline.files import JUDGEMENT, write_text
        from winnow.workspace.card import model_card

        card = model_card(domain)
        given = copy_model(domain, out or Path("build", "model", domain), carried_by(domain))
        write_text(given / "README.md", card)
        if format is not None:
            graph = load(domain, "model.onnx").forward_pass(given).write(given, int8=format == "onnx-int8")
            write_text(given / "README.md", f"{card.rstrip()}\n\n{graph}")
            say(graph.splitlines()[2])
        usual = (given / JUDGEMENT).stat().st_mode
        for file in filter(Path.is_file, given.rglob("*")):
            file.chmod(usual)  # safetensors saves weights that only their owner may read
        print(given)
        use_model(domain, given)  # says what a person must know before relying on it
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


def check_model_format(domain: str, name: str | None) -> None:
    """Raises WinnowError when the domain's model cannot be written in the format, or there is none of that name."""
    if name is None:
        return
    if name not in MODEL_FORMATS:
        raise WinnowError(
            f"unknown format `{name}` of a model",
            fix=f"--format {' or '.join(MODEL_FORMATS)}, or none for the folder that winnow reads",
        )
    if not has_module(domain, "model.onnx"):
        able = [other for other in domain_names() if has_module(other, "model.onnx")]
        raise WinnowError(
            f"{domain} has no ONNX file: its answers come from who likes what and not from one network's inputs",
            fix=f"export without --format, and use it with winnow; ONNX files are made for {', '.join(able)}",
        )
    if missing := [package for package in ("onnx", "onnxruntime", "onnxscript") if find_spec(package) is None]:
        raise WinnowError(f"ONNX files need {', '.join(missing)}, not installed here", fix="pip install 'winnow[onnx]'")


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
    for line in publish_model(domain, model_card(domain), repo, carried_by(domain), private=private, dry_run=dry_run):
        print(line)


def carried_by(domain: str) -> dict[str, Any]:
    """What a model that leaves its checkout needs besides its folder and verdict; most need nothing."""
    found: dict[str, Any] = load(domain, "source.carried").carried() if has_module(domain, "source.carried") else {}
    return found


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
