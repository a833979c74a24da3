"""The `winnow` command: its own commands by what they are about, and those of each domain's trained model.

It starts in a moment: what a command needs is imported when the command runs.
"""

import ast
import importlib.metadata
import importlib.util
import io
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from winnow.cli import checkout, data, experiments, models, results
from winnow.domains.load import domain_names, has_module, load
from winnow.learn.folder import unjudged
from winnow.pipeline.errors import WinnowError, from_os_error
from winnow.pipeline.reading import reason


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
    """The commands of this package, and those of each domain."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *(name for name in domain_names() if has_module(name, "cli"))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in domain_names() and has_module(cmd_name, "cli"):
            return DomainCommands(cmd_name)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(cls=Commands, no_args_is_help=True, pretty_exceptions_enable=False)


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


for _command in (
    *(checkout.new, checkout.doctor, data.init, data.remove, checkout.schema, checkout.preset),
    *(models.export, models.publish, data.rows, results.run, results.board, models.serve, results.status),
    *(experiments.summarize, experiments.compare, experiments.noise, experiments.report),
):  # in the order of `winnow --help`
    app.command()(_command)


def main() -> None:
    """The console entry: an error ends with its message and exit code 1, without a traceback unless `--debug`."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # what it has no letter for, such as in a name that is no UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
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
